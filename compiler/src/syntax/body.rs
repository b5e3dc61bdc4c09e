//! Statements. One that does not parse is reported, and its names are kept.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Attribute, BinOp, Expr, Token};

use super::recover::{bound_names, parse_piece, split};
use super::{For, If, Stmt, Value, allow, shapes};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::text::text_of;
use crate::vocabulary::lint::Lints;
use crate::vocabulary::pytorch::{self, Here};

/// The statements of a body.
pub fn statements(body: &Group, diagnostics: &mut Diagnostics) -> Vec<Stmt> {
    let mut statements = Vec::new();
    let pieces = split(body.stream(), ';');
    let ends_open = !matches!(
        body.stream().into_iter().last(),
        Some(TokenTree::Punct(p)) if p.as_char() == ';'
    );
    let count = pieces.len();
    for (i, tokens) in pieces.into_iter().enumerate() {
        let last = i + 1 == count && ends_open;
        let names = bound_names(tokens.clone());
        let keyword = keyword(&tokens);
        if let Some(error) = python(&tokens) {
            diagnostics.push(error);
            statements.push(Stmt::Broken { names });
            continue;
        }
        let parsed = parse_piece(tokens, body.span_close(), |input| {
            // No `;` ends a block, so the next statement is in the same piece.
            while !input.is_empty() {
                statements.push(statement(input, last, diagnostics)?);
            }
            Ok(())
        });
        let parsed = parsed.map_err(|error| match keyword {
            Some(span) => Diagnostic::new(span, "`where` is a word of Rust's own")
                .help("write `where_(condition, a, b)`"),
            None => Diagnostic::from(error),
        });
        if diagnostics.keep(parsed).is_none() {
            statements.push(Stmt::Broken { names });
        }
    }
    statements
}

/// Words that statements of Python start with, and what stands for them.
const PYTHON: &[(&str, &str)] = &[
    ("with", "a call without `_grad` computes no gradients, and `x.detach()` lets none through"),
    ("assert", "a shape is stated by `let y: [batch, 10] = x;`"),
    ("pass", "take it out"),
    (
        "def",
        "a function is written `fn name(&self, x: [batch, 10]) -> [batch, 10] { … }`, outside of this one",
    ),
    ("elif", "write `else if`"),
    ("try", "a value is there: take it out"),
    ("raise", "take it out"),
    ("del", "memory is planned: take it out"),
    ("global", "take it out"),
    ("import", "write `use` outside of the model"),
    ("from", "write `use` outside of the model"),
    ("print", "return a value to look at it in the program, or write `x.probe(\"name\")`"),
];

/// A statement that starts with a word of Python's.
fn python(tokens: &TokenStream) -> Option<Diagnostic> {
    let mut tokens = tokens.clone().into_iter();
    let Some(TokenTree::Ident(word)) = tokens.next() else { return None };
    // `with.relu()`, `pass = x`: a name of the user's.
    if matches!(tokens.next(), Some(TokenTree::Punct(sign)) if ".=+-*/".contains(sign.as_char())) {
        return None;
    }
    let (_, help) = PYTHON.iter().find(|(known, _)| word == known)?;
    Some(Diagnostic::new(word.span(), format!("`{word}` is Python")).help(help))
}

/// `where`, PyTorch's name, which Rust does not read as one.
fn keyword(tokens: &TokenStream) -> Option<Span> {
    tokens.clone().into_iter().find_map(|token| match token {
        TokenTree::Ident(name) if name == "where" => Some(name.span()),
        TokenTree::Group(group) => keyword(&group.stream()),
        _ => None,
    })
}

fn statement(input: ParseStream, last: bool, diagnostics: &mut Diagnostics) -> syn::Result<Stmt> {
    let attrs = input.call(Attribute::parse_outer)?;
    if let Some(other) = attrs.iter().find(|attr| !attr.path().is_ident("allow")) {
        return Err(syn::Error::new_spanned(
            other,
            "a statement has no attribute but `#[allow(…)]`",
        ));
    }
    let allow = attrs
        .iter()
        .fold(Lints::default(), |all, attr| all.and(allow::of_model(attr, diagnostics)));
    let bare = bare_statement(input, last, diagnostics)?;
    Ok(if attrs.is_empty() { bare } else { Stmt::Allow(allow, Box::new(bare)) })
}

/// A statement without its attributes.
fn bare_statement(
    input: ParseStream,
    last: bool,
    diagnostics: &mut Diagnostics,
) -> syn::Result<Stmt> {
    if input.peek(Token![for]) {
        return for_loop(input, diagnostics).map(Stmt::For);
    }
    if input.peek(Token![if]) {
        return choice(input, diagnostics).map(Stmt::If);
    }
    if input.peek(Token![let]) {
        input.parse::<Token![let]>()?;
        let of_all: Option<Token![mut]> = input.parse()?;
        let names = if input.peek(syn::token::Paren) {
            if let Some(of_all) = of_all {
                let text = "each name has a `mut` of its own: write `let (mut a, mut b)`";
                return Err(syn::Error::new(of_all.span, text));
            }
            let content;
            syn::parenthesized!(content in input);
            let names =
                Punctuated::<Ident, Token![,]>::parse_separated_nonempty_with(&content, |input| {
                    input.parse::<Option<Token![mut]>>()?;
                    if input.peek(syn::token::Paren) {
                        let text = "the values of a tuple are named in one list: `let (y, h, c)`";
                        return Err(syn::Error::new(input.span(), text));
                    }
                    Ident::parse_any(input)
                })?;
            names.into_iter().collect()
        } else {
            vec![input.parse()?]
        };
        let annotation = if input.peek(Token![:]) {
            input.parse::<Token![:]>()?;
            shapes::several(input, diagnostics)?.0
        } else {
            Vec::new()
        };
        input.parse::<Token![=]>()?;
        let value = value(input, diagnostics)?;
        return Ok(Stmt::Let { names, annotation, value });
    }
    if input.peek(syn::Ident) && input.peek2(Token![=]) && !input.peek2(Token![==]) {
        let name = input.parse()?;
        input.parse::<Token![=]>()?;
        return Ok(Stmt::Assign { name, value: value(input, diagnostics)? });
    }
    let value = whole_expr(input)?;
    if let Expr::Return(end) = &value
        && let Some(made) = &end.expr
    {
        let made = text_of(made);
        let error = Diagnostic::over(&value, "the last expression is what a function returns");
        diagnostics
            .push(error.help(format!("write `{made}` at the end, without `return` and `;`")));
        return Ok(Stmt::Broken { names: Vec::new() });
    }
    match value {
        Expr::Assign(assign) => Err(syn::Error::new_spanned(assign.left, ONLY_NAMES)),
        value if last || is_unsupported(&value) => Ok(Stmt::Tail(value)),
        value if is_reveal(&value) => Ok(Stmt::Reveal(value)),
        Expr::Binary(binary) if without_assignment(&binary.op).is_some() => {
            let op = without_assignment(&binary.op).expect("just found");
            let Expr::Path(path) = &*binary.left else {
                return Err(syn::Error::new_spanned(binary.left, ONLY_NAMES));
            };
            let Some(name) = path.path.get_ident().cloned() else {
                return Err(syn::Error::new_spanned(binary.left, ONLY_NAMES));
            };
            let value = Value::Expr(Expr::Binary(syn::ExprBinary { op, ..binary }));
            Ok(Stmt::Assign { name, value })
        }
        value => {
            diagnostics.push(dropped(&value));
            Ok(Stmt::Broken { names: Vec::new() })
        }
    }
}

/// What is said of a value that goes nowhere.
fn dropped(value: &Expr) -> Diagnostic {
    let called = match value {
        Expr::MethodCall(call) => Some((call.method.clone(), Some(&*call.receiver))),
        Expr::Call(call) => match &*call.func {
            Expr::Path(path) => path.path.get_ident().map(|name| (name.clone(), None)),
            _ => None,
        },
        _ => None,
    };
    let error = Diagnostic::over(value, "this value is dropped");
    let Some((name, receiver)) = called else {
        return error.help("bind it with `let`, or leave out the `;` to return it");
    };
    let word = name.to_string();
    let is_super = matches!(receiver, Some(Expr::Call(call)) if text_of(&call.func) == "super");
    if let (Some(Here::Outside(place)), false) = (pytorch::method(&word), is_super) {
        let error = Diagnostic::new(name.span(), format!("`{name}` is no part of a model"));
        return error.help(place);
    }
    if is_super {
        let error = Diagnostic::over(value, "a model has no `super`, and nothing to call first");
        return error.help("take the line out");
    }
    match receiver {
        Some(Expr::Path(path))
            if path.path.get_ident().is_some() && !path.path.is_ident("self") =>
        {
            let owner = text_of(path);
            let in_place = word.trim_end_matches('_');
            let text = text_of(value).replacen(&word, in_place, 1);
            error.write(value, format!("let {owner} = {text}"))
        }
        _ => error.help("bind it with `let`, or leave out the `;` to return it"),
    }
}

const ONLY_NAMES: &str = "only a name can be assigned";

/// What stands behind `=`.
fn value(input: ParseStream, diagnostics: &mut Diagnostics) -> syn::Result<Value> {
    if !input.peek(Token![if]) {
        return whole_expr(input).map(Value::Expr);
    }
    let choice = choice(input, diagnostics)?;
    match input.is_empty() {
        true => Ok(Value::If(choice)),
        false => Err(input.error("expected `;` before this: an `if` is a value of its own")),
    }
}

/// `for fc in self.fc { … }`
fn for_loop(input: ParseStream, diagnostics: &mut Diagnostics) -> syn::Result<For> {
    let keyword: Token![for] = input.parse()?;
    let name = match input.parse::<Option<Token![_]>>()? {
        Some(_) => None,
        None => Some(input.parse().map_err(|error| {
            syn::Error::new(error.span(), "a loop binds one name: `for fc in self.fc`")
        })?),
    };
    input.parse::<Token![in]>()?;
    let over = Expr::parse_without_eager_brace(input)?;
    let body = block(input, diagnostics)?;
    Ok(For { name, over, body, span: keyword.span })
}

/// `if i > 0 { … } else { … }`
fn choice(input: ParseStream, diagnostics: &mut Diagnostics) -> syn::Result<If> {
    let keyword: Token![if] = input.parse()?;
    let condition = Expr::parse_without_eager_brace(input)?;
    let then = block(input, diagnostics)?;
    let otherwise = match input.parse::<Option<Token![else]>>()? {
        Some(_) if input.peek(Token![if]) => vec![Stmt::If(choice(input, diagnostics)?)],
        Some(_) => block(input, diagnostics)?,
        None => Vec::new(),
    };
    Ok(If { condition, then, otherwise, span: keyword.span })
}

fn block(input: ParseStream, diagnostics: &mut Diagnostics) -> syn::Result<Vec<Stmt>> {
    match input.fork().parse::<TokenTree>() {
        Ok(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            input.parse::<TokenTree>()?;
            Ok(statements(&group, diagnostics))
        }
        _ => Err(input.error("expected a block in `{ … }`")),
    }
}

fn whole_expr(input: ParseStream) -> syn::Result<Expr> {
    let expr = input.parse()?;
    if is_unsupported(&expr) && !input.peek(Token![.]) {
        // No `;` ends it, so the next statement is in this piece as well.
        input.parse::<TokenStream>()?;
    }
    match input.is_empty() {
        true => Ok(expr),
        false => Err(input.error("expected `;` or an operator before this")),
    }
}

/// What a body does not have, wherever it stands.
fn is_unsupported(expr: &Expr) -> bool {
    matches!(expr, Expr::While(_) | Expr::Loop(_) | Expr::Match(_))
        || matches!(expr, Expr::Macro(_)) && !is_reveal(expr)
}

/// `reveal!(x)`
pub fn is_reveal(expr: &Expr) -> bool {
    matches!(expr, Expr::Macro(call) if call.mac.path.is_ident("reveal"))
}

/// `+` of `+=`
fn without_assignment(op: &BinOp) -> Option<BinOp> {
    let text = text_of(op);
    let sign = text.strip_suffix('=')?;
    let is_compound = matches!(
        op,
        BinOp::AddAssign(_) | BinOp::SubAssign(_) | BinOp::MulAssign(_) | BinOp::DivAssign(_)
    );
    let mut sign: BinOp = syn::parse_str(sign).ok().filter(|_| is_compound)?;
    let span = syn::spanned::Spanned::span(op);
    match &mut sign {
        BinOp::Add(token) => token.spans = [span],
        BinOp::Sub(token) => token.spans = [span],
        BinOp::Mul(token) => token.spans = [span],
        BinOp::Div(token) => token.spans = [span],
        _ => {}
    }
    Some(sign)
}
