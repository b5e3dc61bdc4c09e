//! The parser: recovers at the next field, statement or item.

use std::rc::Rc;

use proc_macro2::{Delimiter, Group, Ident, Spacing, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, LitStr, Path, Token, Type, Visibility};

use super::body::statements;
use super::budget::{budget, misplaced};
use super::constants::{constant, uses};
use super::limits::{MOST_FIELDS, too_deep};
use super::recover::{parse_piece, skip_to_item, until_body};

use super::{
    Arg, ConstItem, Field, FieldDecl, FnArg, Function, Header, LayerDecl, ModelItem, TypeExpr,
    Written,
};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::names::{is_keyword, made_a_name, plain, without_needless};
use crate::text::text_of;

/// Parses the text of a `model! { … }`: models, each a struct and the functions behind it.
pub fn parse_models(tokens: TokenStream, diagnostics: &mut Diagnostics) -> Vec<ModelItem> {
    let mut models = vec![ModelItem::default()];
    if let Some(error) = too_deep(tokens.clone()) {
        diagnostics.push(error);
        models[0].lost = true;
        return models;
    }
    let tokens = without_needless(tokens);
    let (mut constants, mut items) = (Vec::new(), TokenStream::new());
    let parser = |input: ParseStream| {
        while !input.is_empty() {
            let start = input.cursor();
            match constant(input) {
                Ok(Some((constant, item))) => {
                    constants.push(constant);
                    items.extend(item);
                    continue;
                }
                Ok(None) => {}
                Err(error) => {
                    diagnostics.push(error);
                    models.iter_mut().for_each(|model| model.lost = true);
                    skip_to_item(input, input.cursor() != start);
                    continue;
                }
            }
            if let Err(error) = item(input, &mut models, diagnostics) {
                diagnostics.push(error);
                // Which model it was a part of is not known.
                models.iter_mut().for_each(|model| model.lost = true);
                skip_to_item(input, input.cursor() != start);
            }
        }
        Ok(())
    };
    let result = parse_piece(tokens.clone(), Span::call_site(), parser);
    diagnostics.keep(result);
    items.extend(uses(&constants, &tokens));
    let constants: Rc<[ConstItem]> = constants.into();
    models.iter_mut().for_each(|model| model.constants = Rc::clone(&constants));
    models[0].items = items;
    models
}

/// The same of a text with one model.
pub fn parse_model(tokens: TokenStream, diagnostics: &mut Diagnostics) -> ModelItem {
    parse_models(tokens, diagnostics).swap_remove(0)
}

/// A struct begins a model, unless functions in front of it have begun that.
fn item(
    input: ParseStream,
    models: &mut Vec<ModelItem>,
    diagnostics: &mut Diagnostics,
) -> Result<(), Diagnostic> {
    let mut attrs = input.call(Attribute::parse_outer)?;
    let vis: Visibility = input.parse()?;
    if input.peek(Token![struct]) {
        input.parse::<Token![struct]>()?;
        let name: Ident = input.parse()?;
        let generics = input.parse()?;
        let body = group(input, Delimiter::Brace, "the layers in `{ … }`")?;
        if models.iter().all(|model| model.header.is_some()) {
            models.push(ModelItem::default());
        }
        let model = models.last_mut().expect("there is one");
        let budget = budget(&mut attrs, diagnostics);
        model.header = Some(Header { attrs, vis, name, generics, budget });
        for tokens in split(body.stream(), ',') {
            let mut rest = tokens;
            // More than one where a comma is missing.
            while !rest.is_empty() {
                let (field, behind) = field(rest, body.span_close(), diagnostics);
                model.lost |= field.is_none();
                model.fields.extend(field);
                rest = behind;
            }
        }
        Ok(())
    } else if input.peek(Token![fn]) {
        let explicit = !matches!(vis, Visibility::Inherited);
        let function = function(input, attrs, explicit.then_some(vis), diagnostics)?;
        models.last_mut().expect("there is one").functions.push(function);
        Ok(())
    } else {
        Err(Diagnostic::new(input.span(), "expected a `struct` of layers, a `fn` or a `const`"))
    }
}

fn group(input: ParseStream, delimiter: Delimiter, what: &str) -> Result<Group, Diagnostic> {
    match input.fork().parse::<TokenTree>() {
        Ok(TokenTree::Group(group)) if group.delimiter() == delimiter => {
            input.parse::<TokenTree>()?;
            Ok(group)
        }
        _ => Err(Diagnostic::new(input.span(), format!("expected {what}"))),
    }
}

/// A field, broken when only its name could be read.
fn field(
    tokens: TokenStream,
    end: Span,
    diagnostics: &mut Diagnostics,
) -> (Option<Field>, TokenStream) {
    let (mut name, mut in_files, mut behind) = (None, None, TokenStream::new());
    let mut held = None;
    let mut docs = Vec::new();
    let decl = parse_piece(tokens, end, |input| {
        let attrs = input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        let ident: Ident = input.parse()?;
        if input.peek(syn::token::Paren) {
            let args: TokenTree = input.parse()?;
            let example =
                format!("{}: {ident}{}", plain(&ident.to_string()).to_lowercase(), text_of(&args));
            let text = format!("this layer has no name: write `{example}`");
            return Err(syn::Error::new(ident.span(), text));
        }
        name = Some(ident.clone());
        let is_known = |attr: &Attribute| {
            ["doc", "name", "frozen"].iter().any(|known| attr.path().is_ident(known))
        };
        if let Some(other) = attrs.iter().find(|attr| !is_known(attr)) {
            let text =
                "a layer has docs, `#[name = \"…\"]` and `#[frozen]`, and no other attributes";
            diagnostics.push(syn::Error::new_spanned(other, text));
        }
        in_files = name_in_files(&attrs, diagnostics);
        held = frozen(&attrs, diagnostics);
        docs = attrs.into_iter().filter(|attr| attr.path().is_ident("doc")).collect();
        let expected = format!("expected `:` and a layer, as in `{ident}: Linear(2 -> 1)`");
        input.parse::<Token![:]>().map_err(|e| syn::Error::new(e.span(), expected))?;
        let decl = field_decl(input)?;
        if !input.is_empty() {
            diagnostics.push(input.error("expected `,` before this"));
            behind = input.parse()?;
        }
        Ok(decl)
    });
    let decl = diagnostics.keep(decl).unwrap_or(FieldDecl::Broken);
    (name.map(|name| Field { docs, name, in_files, frozen: held, decl }), behind)
}

/// Where `#[frozen]` stands among the attributes of a field.
pub fn frozen(attrs: &[Attribute], diagnostics: &mut Diagnostics) -> Option<Span> {
    let attr = attrs.iter().find(|attr| attr.path().is_ident("frozen"))?;
    if attr.meta.require_path_only().is_err() {
        let error = Diagnostic::over(attr, "`frozen` takes nothing");
        diagnostics.push(error.help("write `#[frozen]` above a field that is not to be trained"));
    }
    Some(syn::spanned::Spanned::span(attr.path()))
}

/// `#[name = "attention.self"]` among the attributes of a field.
pub fn name_in_files(attrs: &[Attribute], diagnostics: &mut Diagnostics) -> Option<LitStr> {
    let attr = attrs.iter().find(|attr| attr.path().is_ident("name"))?;
    let text: syn::Result<LitStr> =
        attr.meta.require_name_value().and_then(|meta| syn::parse2(meta.value.to_token_stream()));
    match text {
        Ok(text) if is_name_in_files(&text.value()) => Some(text),
        _ => {
            let error = Diagnostic::over(attr, "expected a field's name in files");
            diagnostics.push(error.help("write `#[name = \"encoder.layer\"]`"));
            None
        }
    }
}

/// `attention.self`, and `layer1.1..` of a row whose first element is number 1.
fn is_name_in_files(text: &str) -> bool {
    let name = match text.strip_suffix("..").map(|row| row.rsplit_once('.')) {
        Some(Some((name, first))) if first.parse::<u16>().is_ok() => name,
        Some(_) => return false,
        None => text,
    };
    name.split('.').all(|part| !part.is_empty())
}

fn field_decl(input: ParseStream) -> syn::Result<FieldDecl> {
    if input.peek(syn::token::Bracket) {
        let content;
        syn::bracketed!(content in input);
        let start = content.span();
        let element = field_decl(&content)?;
        content.parse::<Token![;]>()?;
        let count: Expr = content.parse()?;
        return match element {
            FieldDecl::Model(ty) => Ok(FieldDecl::Array(ty, count)),
            FieldDecl::Layer(layer) => Ok(FieldDecl::Layers(layer, count_of(&count)?)),
            _ => Err(syn::Error::new(start, "a row holds layers or models, and no rows")),
        };
    }
    let ahead = input.fork();
    if ahead.call(Path::parse_mod_style).is_ok() && ahead.peek(syn::token::Paren) {
        let path = input.call(Path::parse_mod_style)?;
        let TokenTree::Group(group) = input.parse()? else { unreachable!("peeked") };
        let args = args(group.stream(), group.span_close())?;
        let span = group.span();
        return Ok(FieldDecl::Layer(LayerDecl { path, args, written: Written::Call, span }));
    }
    let expected = "expected a layer such as `Linear(784 -> 128)` or a model's type";
    let start = input.span();
    match input.parse::<Type>() {
        Ok(ty @ Type::Path(_)) => Ok(FieldDecl::Model(ty)),
        Ok(_) => Err(syn::Error::new(start, expected)),
        Err(error) => Err(syn::Error::new(error.span(), expected)),
    }
}

/// The number of layers in a row, which are written out one by one.
pub fn count_of(count: &Expr) -> syn::Result<usize> {
    let number = match count {
        Expr::Lit(lit) => match &lit.lit {
            syn::Lit::Int(number) => number.base10_parse::<usize>().ok(),
            _ => None,
        },
        _ => None,
    };
    number.filter(|number| (1..=MOST_FIELDS).contains(number)).ok_or_else(|| {
        let text = format!(
            "layers in a row are written out one by one: their number is a literal from 1 to \
             {MOST_FIELDS}"
        );
        syn::Error::new_spanned(count, text)
    })
}

/// `784 -> 128, bias = false`
fn args(tokens: TokenStream, end: Span) -> syn::Result<Vec<Arg>> {
    split(tokens, ',').into_iter().map(|tokens| arg(tokens, end)).collect()
}

fn arg(tokens: TokenStream, end: Span) -> syn::Result<Arg> {
    if let Some((from, arrow, to)) = split_arrow(&tokens) {
        let side = |tokens| parse_piece(tokens, arrow, Expr::parse);
        return Ok(Arg::Sizes(side(from)?, side(to)?));
    }
    match parse_piece(tokens, end, Expr::parse)? {
        Expr::Assign(assign) => match *assign.left {
            Expr::Path(path) if path.path.get_ident().is_some() => {
                Ok(Arg::Named(path.path.get_ident().cloned().expect("checked"), *assign.right))
            }
            other => Err(syn::Error::new_spanned(other, "expected the name of an option")),
        },
        value => Ok(Arg::Value(value)),
    }
}

/// Reads `Linear<784, 128>` as `Linear(784 -> 128)`: the layers of `#[derive(Module)]`.
pub fn parse_layer_type(path: &Path) -> syn::Result<LayerDecl> {
    let last = path.segments.last().expect("a path has segments");
    let mut args = Vec::new();
    if let syn::PathArguments::AngleBracketed(generics) = &last.arguments {
        for generic in &generics.args {
            args.push(Arg::Value(match generic {
                syn::GenericArgument::Const(expr) => expr.clone(),
                syn::GenericArgument::Type(ty) => syn::parse2(quote::quote!(#ty))?,
                other => return Err(syn::Error::new_spanned(other, "expected a number")),
            }));
        }
    }
    let mut path = path.clone();
    path.segments.last_mut().expect("a path has segments").arguments = syn::PathArguments::None;
    Ok(LayerDecl { span: last.ident.span(), path, args, written: Written::Consts })
}

fn function(
    input: ParseStream,
    mut attrs: Vec<Attribute>,
    vis: Option<Visibility>,
    diagnostics: &mut Diagnostics,
) -> Result<Function, Diagnostic> {
    input.parse::<Token![fn]>()?;
    let name: Ident = input.parse()?;
    let params = group(input, Delimiter::Parenthesis, "the arguments in `( … )`")?;
    let mut has_self = false;
    let mut args = Vec::new();
    for tokens in split(params.stream(), ',') {
        if is_self(&tokens) {
            has_self = true;
        } else {
            args.extend(fn_arg(tokens, params.span_close(), diagnostics));
        }
    }
    let arrow: Option<Token![->]> = input.parse()?;
    let end = arrow.as_ref().map_or(params.span_close(), |arrow| arrow.spans[1]);
    let written = until_body(input);
    // `[batch, 10]` alone is a result without its arrow.
    let arrow_missing = (arrow.is_none() && written.is_empty()).then_some(name.span());
    if arrow.is_none() && !written.is_empty() {
        let error = Diagnostic::over(&written, "expected `->` before the result");
        diagnostics.push(error.help(format!("write `-> {}`", text_of(&written))));
    }
    let (returns, returns_tuple) = match arrow_missing {
        Some(_) => (Vec::new(), false),
        None => results(written, end, diagnostics),
    };
    let body = group(input, Delimiter::Brace, "the body in `{ … }`")?;
    let statements = statements(&body, diagnostics);
    let step = step(&mut attrs, diagnostics);
    let trains = trains(&mut attrs, diagnostics);
    misplaced(&mut attrs, diagnostics);
    Ok(Function {
        attrs,
        step,
        trains,
        vis,
        name,
        has_self,
        args,
        returns,
        returns_guess: false,
        returns_tuple,
        arrow_missing,
        body: statements,
        body_span: body.span_close(),
    })
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
            diagnostics.push(error.help("write `#[trains(head)]`, or `#[trains(body, head)]`"));
            None
        }
    }
}

fn is_self(tokens: &TokenStream) -> bool {
    matches!(tokens.clone().into_iter().last(), Some(TokenTree::Ident(name)) if name == "self")
}

/// An argument, its type broken when only its name could be read.
fn fn_arg(tokens: TokenStream, end: Span, diagnostics: &mut Diagnostics) -> Option<FnArg> {
    let mut name = None;
    let mut keyword = None;
    let broken = TypeExpr::broken(tokens.clone(), end);
    let ty = parse_piece(tokens, end, |input| {
        let ident = input.call(Ident::parse_any)?;
        if is_keyword(&ident.to_string()) {
            let named = made_a_name(&ident);
            let text = format!("`{ident}` is a word of Rust's own");
            let help = format!("give the input another name, such as `{named}`");
            keyword = Some(Diagnostic::new(ident.span(), text).help(help));
            name = Some(named);
        } else {
            name = Some(ident.clone());
        }
        let expected = format!("expected `:` and a shape, as in `{ident}: [batch, 784]`");
        input.parse::<Token![:]>().map_err(|e| syn::Error::new(e.span(), expected))?;
        input.parse::<TypeExpr>()
    });
    let ty = match keyword {
        Some(error) => {
            diagnostics.push(error);
            ty.unwrap_or(broken)
        }
        None => diagnostics.keep(ty).unwrap_or(broken),
    };
    name.map(|name| FnArg { name, ty })
}

/// What stands behind `->`.
fn results(tokens: TokenStream, end: Span, diagnostics: &mut Diagnostics) -> (Vec<TypeExpr>, bool) {
    let broken = TypeExpr::broken(tokens.clone(), end);
    let parsed = parse_piece(tokens, end, types);
    diagnostics.keep(parsed).unwrap_or((vec![broken], false))
}

/// A shape, or those of a tuple, and whether it is one.
pub fn types(input: ParseStream) -> syn::Result<(Vec<TypeExpr>, bool)> {
    if !input.peek(syn::token::Paren) {
        return Ok((vec![input.parse()?], false));
    }
    let content;
    syn::parenthesized!(content in input);
    let types = Punctuated::<TypeExpr, Token![,]>::parse_terminated(&content)?;
    Ok((types.into_iter().collect(), true))
}

impl TypeExpr {
    /// Of a text that does not parse, the name that its shape starts with.
    fn broken(tokens: TokenStream, span: Span) -> Self {
        let shape = tokens.into_iter().find_map(|token| match token {
            TokenTree::Group(group) => group.stream().into_iter().next(),
            _ => None,
        });
        let lead = shape.and_then(|token| syn::parse2(token.into()).ok());
        Self { classes: false, dims: lead.into_iter().collect(), span, broken: true }
    }
}

impl Parse for TypeExpr {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let classes = if input.peek(syn::Ident) {
            let name: Ident = input.parse()?;
            if name != "Classes" {
                return Err(syn::Error::new(
                    name.span(),
                    "expected a shape such as `[batch, 10]`, or `Classes[batch]` for class indices",
                ));
            }
            true
        } else {
            false
        };
        let shape = input.fork().parse::<TokenTree>();
        let Ok(TokenTree::Group(shape)) = shape else {
            return Err(input.error("expected a shape such as `[batch, 10]`"));
        };
        if shape.delimiter() != Delimiter::Bracket {
            return Err(input.error("expected a shape such as `[batch, 10]`"));
        }
        input.parse::<TokenTree>()?;
        let dims = Punctuated::<Expr, Token![,]>::parse_terminated;
        let dims = parse_piece(shape.stream(), shape.span_close(), dims)?;
        Ok(Self { classes, dims: dims.into_iter().collect(), span: shape.span(), broken: false })
    }
}

/// The pieces between separators outside any bracket; empty pieces are left out.
pub fn split(tokens: TokenStream, separator: char) -> Vec<TokenStream> {
    let mut pieces = vec![Vec::new()];
    let mut depth = 0_usize;
    let mut dash = false;
    for token in tokens {
        if let TokenTree::Punct(p) = &token {
            // `Block<1, 2>`: commas inside angle brackets; the arrow `->` closes nothing.
            match p.as_char() {
                '<' => depth += 1,
                '>' if !dash => depth = depth.saturating_sub(1),
                c if c == separator && (depth == 0 || separator == ';') => {
                    pieces.push(Vec::new());
                    dash = false;
                    depth = 0;
                    continue;
                }
                _ => {}
            }
            dash = p.as_char() == '-' && p.spacing() == Spacing::Joint;
        } else {
            dash = false;
        }
        pieces.last_mut().expect("never empty").push(token);
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces.into_iter().map(|piece| piece.into_iter().collect()).collect()
}

/// `784 -> 128` as its two sides and the arrow.
fn split_arrow(tokens: &TokenStream) -> Option<(TokenStream, Span, TokenStream)> {
    let tokens: Vec<_> = tokens.clone().into_iter().collect();
    let is = |token: &TokenTree, c: char| matches!(token, TokenTree::Punct(p) if p.as_char() == c);
    let at = tokens.windows(2).position(|pair| is(&pair[0], '-') && is(&pair[1], '>'))?;
    let side = |tokens: &[TokenTree]| tokens.iter().cloned().collect();
    Some((side(&tokens[..at]), tokens[at + 1].span(), side(&tokens[at + 2..])))
}
