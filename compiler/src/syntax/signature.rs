//! The signatures of functions: `fn forward(&self, x: [batch, 784]) -> [batch, 10]`.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Token, Visibility};

use super::body::statements;
use super::budget::misplaced;
use super::items::{checked_name, group, name};
use super::recover::{parse_piece, skip_item, split, until_body};
use super::{FnArg, Function, TypeExpr, allow, shapes};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::names::{is_keyword, keyword_text, made_a_name};
use crate::text::text_of;

/// A function behind its `fn`.
pub(super) fn function(
    input: ParseStream,
    mut attrs: Vec<Attribute>,
    vis: Option<Visibility>,
    diagnostics: &mut Diagnostics,
) -> Result<Function, Diagnostic> {
    let name = name(input, "a function", diagnostics)?;
    no_generics(&name, input, diagnostics);
    let (mut has_self, mut args) = (false, Vec::new());
    let mut end = name.span();
    match group(input, Delimiter::Parenthesis, "the inputs in `( … )`") {
        Ok(params) => {
            end = params.span_close();
            for tokens in split(params.stream(), ',') {
                let mut rest = tokens;
                // More than one where a comma is missing.
                while !rest.is_empty() {
                    rest = param(rest, end, (&mut has_self, &mut args), diagnostics);
                }
            }
        }
        Err(_) => {
            let error = Diagnostic::new(name.span(), format!("`{name}` has no inputs in `( … )`"));
            let written = format!("{name}(&self, x: [batch, 784])");
            diagnostics.push(error.help(format!("write `fn {written}`")).fix(&name, written));
            has_self = true;
            let ty = TypeExpr::any_batch(name.span());
            args.push(FnArg { name: quote::format_ident!("x", span = name.span()), ty });
        }
    }
    let arrow: Option<Token![->]> = input.parse()?;
    end = arrow.as_ref().map_or(end, |arrow| arrow.spans[1]);
    let mut written = until_body(input);
    let has_body = input.peek(syn::token::Brace);
    let semicolon = ends_with_semicolon(&mut written);
    if let Some(semicolon) = semicolon.filter(|_| has_body) {
        let error = Diagnostic::new(semicolon.span(), "a `;` stands before the body");
        diagnostics.push(error.fix(&semicolon, "").help("take it out"));
    }
    // `[batch, 10]` alone is a result without its arrow.
    let arrow_missing = (arrow.is_none() && written.is_empty()).then_some(name.span());
    if arrow.is_none() && !written.is_empty() {
        written = behind_other_arrow(written, diagnostics);
    }
    let (returns, returns_tuple) = match arrow_missing {
        Some(_) => (Vec::new(), false),
        // `-> [] = mse_loss(x, y);`: what stands behind the result is told below.
        None if !has_body => results(written, end, &mut Diagnostics::default()),
        None => results(written, end, diagnostics),
    };
    let (body, body_span) = match group(input, Delimiter::Brace, "the body in `{ … }`") {
        Ok(body) => (statements(&body, diagnostics), body.span_close()),
        Err(_) => {
            let error = Diagnostic::new(name.span(), format!("`{name}` has no body in `{{ … }}`"));
            diagnostics.push(error.help("write what it returns: `{ self.fc1(x) }`"));
            if !input.peek(Token![fn]) && !input.peek(Token![struct]) && !input.is_empty() {
                skip_item(input);
            }
            (vec![super::Stmt::Broken { names: Vec::new() }], name.span())
        }
    };
    let step = step(&mut attrs, diagnostics);
    let trains = trains(&mut attrs, diagnostics);
    let allow = allow::take(&mut attrs, diagnostics);
    misplaced(&mut attrs, diagnostics);
    super::attributes::of_others(&mut attrs, "function", diagnostics);
    Ok(Function {
        attrs,
        step,
        trains,
        allow,
        vis,
        name,
        has_self,
        args,
        returns,
        returns_guess: false,
        returns_tuple,
        arrow_missing,
        body,
        body_span,
    })
}

/// `fn forward<T>(…)`: a function's sizes are those of its inputs.
fn no_generics(name: &Ident, input: ParseStream, diagnostics: &mut Diagnostics) {
    if !input.peek(Token![<]) {
        return;
    }
    let mut tokens = TokenStream::new();
    while !input.is_empty() && !input.peek(syn::token::Paren) && !input.peek(syn::token::Brace) {
        tokens.extend(input.parse::<TokenTree>());
    }
    let error = Diagnostic::over(&tokens, format!("`{name}` has no parameters of its own"));
    let help = "take them out: sizes are constants of the `struct`, `struct Block<const D: usize>`, \
        or names in lower case";
    diagnostics.push(error.fix(&tokens, "").help(help));
}

fn ends_with_semicolon(tokens: &mut TokenStream) -> Option<TokenTree> {
    let mut trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let last = trees.pop()?;
    let is_one = matches!(&last, TokenTree::Punct(sign) if sign.as_char() == ';');
    is_one.then(|| {
        *tokens = trees.into_iter().collect();
        last
    })
}

/// What stands behind `=>`, `:` or nothing, in place of `->`.
fn behind_other_arrow(written: TokenStream, diagnostics: &mut Diagnostics) -> TokenStream {
    let mut trees = written.clone().into_iter().peekable();
    let mut signs = Vec::new();
    while let Some(TokenTree::Punct(sign)) = trees.peek()
        && "=-<>~:".contains(sign.as_char())
    {
        signs.extend(trees.next());
    }
    let rest: TokenStream = trees.collect();
    let arrow: TokenStream = signs.iter().cloned().collect();
    let error = match signs.is_empty() {
        true => Diagnostic::over(&written, "expected `->` before the result")
            .write(&written, format!("-> {}", text_of(&written))),
        false => {
            let sign: String = signs.iter().map(ToString::to_string).collect();
            let text = format!("`->` stands before a result, and not `{sign}`");
            Diagnostic::over(&arrow, text).write(&arrow, "->")
        }
    };
    diagnostics.push(error);
    rest
}

/// Takes `#[step(CONTEXT)]` out of the attributes of a function.
fn step(attrs: &mut Vec<Attribute>, diagnostics: &mut Diagnostics) -> Option<Expr> {
    let at = attrs.iter().position(|attr| attr.path().is_ident("step"))?;
    let attr = attrs.remove(at);
    attr.parse_args()
        .inspect_err(|_| {
            let error = Diagnostic::over(&attr, "`step` needs the size of the sequences");
            diagnostics.push(error.help("write `#[step(CONTEXT)]`"));
        })
        .ok()
}

/// Takes `#[trains(critic, head)]` out of the attributes of a function.
fn trains(attrs: &mut Vec<Attribute>, diagnostics: &mut Diagnostics) -> Option<Vec<Ident>> {
    let at = attrs.iter().position(|attr| attr.path().is_ident("trains"))?;
    let attr = attrs.remove(at);
    let names = attr.parse_args_with(Punctuated::<Ident, Token![,]>::parse_terminated);
    match names {
        Ok(names) if !names.is_empty() => Some(names.into_iter().collect()),
        _ => {
            let text = "`trains` needs the names of the fields that the gradient goes to";
            let error = Diagnostic::over(&attr, text);
            let names = attr.to_token_stream().to_string();
            let names = names.split(|c: char| !c.is_alphanumeric() && c != '_').skip(1);
            let named = names.filter(|word| {
                !matches!(*word, "" | "trains" | "self") && !word.starts_with(char::is_numeric)
            });
            let named: Vec<_> = named.take(1).collect();
            diagnostics.push(match named.first() {
                Some(name) => error.write(&attr, format!("#[trains({name})]")),
                None => error.help("write their names in parentheses: `#[trains(head)]`"),
            });
            None
        }
    }
}

/// `&self`, or an input; gives what stands behind it where a comma is missing.
fn param(
    tokens: TokenStream,
    end: Span,
    (has_self, args): (&mut bool, &mut Vec<FnArg>),
    diagnostics: &mut Diagnostics,
) -> TokenStream {
    if let Some((this, behind)) = this(&tokens) {
        if !behind.is_empty() {
            let next = behind.clone().into_iter().next();
            match next {
                Some(TokenTree::Punct(colon)) if colon.as_char() == ':' => {
                    let error = Diagnostic::over(&tokens, "`&self` has no type");
                    diagnostics.push(error.write(&tokens, "&self"));
                }
                _ => {
                    let error = Diagnostic::over(&this, "expected `,` behind this");
                    diagnostics.push(error.write(&this, "&self,"));
                    *has_self = true;
                    return behind;
                }
            }
        } else if std::mem::replace(has_self, true) {
            let error = Diagnostic::over(&this, "`&self` stands here twice");
            diagnostics.push(error.help("take one of them out"));
        } else if !args.is_empty() {
            let error = Diagnostic::over(&this, "`&self` is the first of the inputs");
            diagnostics.push(error.help("write it in front of the others"));
        } else if text_of(&this) == "self" {
            let error = Diagnostic::over(&this, "a function borrows its model");
            diagnostics.push(error.write(&this, "&self"));
        } else if text_of(&this).contains("mut") {
            let error = Diagnostic::over(&this, "a function of a model changes nothing");
            diagnostics.push(error.write(&this, "&self"));
        }
        *has_self = true;
        return TokenStream::new();
    }
    let mut behind = TokenStream::new();
    args.extend(fn_arg(tokens, end, &mut behind, diagnostics));
    behind
}

/// `&self`, `self`, `&mut self` and what stands behind.
fn this(tokens: &TokenStream) -> Option<(TokenStream, TokenStream)> {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut is_life = false;
    let mut is_before = |token: &TokenTree| match token {
        TokenTree::Punct(sign) => {
            is_life = sign.as_char() == '\'';
            is_life || sign.as_char() == '&'
        }
        TokenTree::Ident(word) => std::mem::take(&mut is_life) || word == "mut",
        _ => false,
    };
    let at = trees.iter().take_while(|token| is_before(token)).count();
    let is_self = matches!(trees.get(at), Some(TokenTree::Ident(word)) if word == "self");
    // `self_: [..]` as well as `self: [..]` with a shape is an input.
    let has_shape = matches!(trees.get(at + 2), Some(TokenTree::Group(_)));
    (is_self && !has_shape).then(|| {
        let (this, behind) = trees.split_at(at + 1);
        (this.iter().cloned().collect(), behind.iter().cloned().collect())
    })
}

/// An input, its type broken when only its name could be read.
fn fn_arg(
    tokens: TokenStream,
    end: Span,
    behind: &mut TokenStream,
    diagnostics: &mut Diagnostics,
) -> Vec<FnArg> {
    let (mut name, mut others) = (None, Vec::new());
    let broken = TypeExpr::broken(tokens.clone(), end);
    let unnamed = tokens.clone();
    let ty = parse_piece(tokens, end, |input| {
        // Docs of an input.
        input.call(Attribute::parse_outer)?;
        if input.peek(Token![mut]) && input.peek2(syn::Ident) {
            let word: Token![mut] = input.parse()?;
            let error = Diagnostic::over(&word, "an input is a value, and does not change");
            let help = "take `mut` out; a `let mut x = x;` in the body has another value later";
            diagnostics.push(error.fix(&word, "").help(help));
        }
        if input.peek(syn::token::Bracket) || input.peek(Token![&]) {
            let shape = text_of(&unnamed);
            let error = Diagnostic::over(&unnamed, "this input has no name");
            diagnostics.push(error.write(&unnamed, format!("x: {shape}")));
            name = Some(quote::format_ident!("x", span = input.span()));
            return shapes::read(input, diagnostics);
        }
        if input.peek(syn::token::Paren) {
            let error = Diagnostic::over(&unnamed, "an input has one name and one shape");
            diagnostics
                .push(error.help("write an input for each: `a: [batch, 784], b: [batch, 10]`"));
            let Ok(TokenTree::Group(pattern)) = input.parse() else { unreachable!("peeked") };
            let names = pattern.stream().into_iter().filter_map(|token| match token {
                TokenTree::Ident(name) if name != "mut" => Some(name),
                _ => None,
            });
            let mut names = names.into_iter();
            name = names.next();
            others.extend(names);
            input.parse::<TokenStream>()?;
            return Ok(TypeExpr::any_batch(end));
        }
        let ident = input.call(Ident::parse_any)?;
        name = Some(if is_keyword(&ident.to_string()) {
            let named = made_a_name(&ident);
            let error = Diagnostic::new(ident.span(), keyword_text(&ident));
            let help = format!("give the input another name, such as `{named}`");
            diagnostics.push(error.help(help).fix(&ident, named.to_string()));
            named
        } else {
            ident.clone()
        });
        if input.parse::<Option<Token![:]>>()?.is_none() {
            let is_shape = input.peek(syn::token::Bracket) || input.peek(syn::Ident);
            let text = format!("`{ident}` has no shape");
            let error = Diagnostic::new(ident.span(), text);
            if !is_shape {
                let written = format!("{ident}: [batch, 784]");
                diagnostics.push(error.help(format!("write `{written}`")));
                input.parse::<TokenStream>()?;
                return Ok(TypeExpr::any_batch(end));
            }
            let text = format!("expected `:` behind `{ident}`");
            let error = Diagnostic::new(ident.span(), text);
            diagnostics.push(error.write(&ident, format!("{ident}:")));
        }
        let ty = shapes::read(input, diagnostics)?;
        if input.peek(Token![=]) {
            let default: TokenStream = input.parse()?;
            let error = Diagnostic::over(&default, "an input has no default");
            diagnostics.push(error.fix(&default, "").help("take it out: a call gives all inputs"));
        } else if !input.is_empty() {
            let rest: TokenStream = input.parse()?;
            let next = rest.clone().into_iter().next().expect("not empty");
            let error = Diagnostic::new(next.span(), "expected `,` before this");
            let written = text_of(&next);
            diagnostics.push(error.write(&next, format!(", {written}")));
            *behind = rest;
        }
        Ok(ty)
    });
    let ty = diagnostics.keep(ty).unwrap_or(broken);
    let first = name.map(|name| FnArg { name: checked_name(name, diagnostics), ty });
    let others = others.into_iter().map(|name| FnArg { name, ty: TypeExpr::any_batch(end) });
    first.into_iter().chain(others).collect()
}

/// What stands behind `->`.
fn results(tokens: TokenStream, end: Span, diagnostics: &mut Diagnostics) -> (Vec<TypeExpr>, bool) {
    let broken = TypeExpr::broken(tokens.clone(), end);
    let whole = tokens.clone();
    let parsed = parse_piece(tokens, end, |input| {
        if let Some(scalar) = shapes::scalar(&whole, diagnostics) {
            input.parse::<TokenStream>()?;
            return Ok((vec![scalar], false));
        }
        let (mut types, is_tuple) = shapes::several(input, diagnostics)?;
        if input.peek(Token![,]) {
            let error = Diagnostic::over(&whole, "several results are a tuple");
            diagnostics.push(error.write(&whole, format!("({})", text_of(&whole))));
            while input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
                types.push(shapes::read(input, diagnostics)?);
            }
            return Ok((types, true));
        }
        Ok((types, is_tuple))
    });
    diagnostics.keep(parsed).unwrap_or((vec![broken], false))
}
