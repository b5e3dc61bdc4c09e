//! Statements. One that does not parse is reported, and its names are kept.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{BinOp, Expr, Token};

use super::Stmt;
use super::parse::{split, types};
use super::recover::{bound_names, parse_piece};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::text::text_of;

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
        let parsed = parse_piece(tokens, body.span_close(), |input| statement(input, last));
        let parsed = parsed.map_err(|error| match keyword {
            Some(span) => Diagnostic::new(span, "`where` is a word of Rust's own")
                .help("write `where_(condition, a, b)`"),
            None => Diagnostic::from(error),
        });
        statements.push(diagnostics.keep(parsed).unwrap_or(Stmt::Broken { names }));
    }
    statements
}

/// `where`, PyTorch's name, which Rust does not read as one.
fn keyword(tokens: &TokenStream) -> Option<Span> {
    tokens.clone().into_iter().find_map(|token| match token {
        TokenTree::Ident(name) if name == "where" => Some(name.span()),
        TokenTree::Group(group) => keyword(&group.stream()),
        _ => None,
    })
}

fn statement(input: ParseStream, last: bool) -> syn::Result<Stmt> {
    if input.peek(Token![let]) {
        input.parse::<Token![let]>()?;
        if input.peek(Token![mut]) {
            input.parse::<Token![mut]>()?;
        }
        let names = if input.peek(syn::token::Paren) {
            let content;
            syn::parenthesized!(content in input);
            let names = Punctuated::<Ident, Token![,]>::parse_separated_nonempty_with(
                &content,
                Ident::parse_any,
            )?;
            names.into_iter().collect()
        } else {
            vec![input.parse()?]
        };
        let annotation = if input.peek(Token![:]) {
            input.parse::<Token![:]>()?;
            types(input)?.0
        } else {
            Vec::new()
        };
        input.parse::<Token![=]>()?;
        let value = whole_expr(input)?;
        return Ok(Stmt::Let { names, annotation, value });
    }
    let value = whole_expr(input)?;
    match value {
        Expr::Assign(assign) => match *assign.left {
            Expr::Path(ref path) if path.path.get_ident().is_some() => Ok(Stmt::Let {
                names: vec![path.path.get_ident().cloned().expect("checked")],
                annotation: Vec::new(),
                value: *assign.right,
            }),
            other => Err(syn::Error::new_spanned(other, "only a name can be assigned")),
        },
        value if last || is_unsupported(&value) => Ok(Stmt::Tail(value)),
        Expr::Binary(ref binary) if is_compound(&binary.op) => {
            let (name, op) = (text_of(&binary.left), text_of(&binary.op));
            let (sign, value) = (&op[..1], text_of(&binary.right));
            let text = format!("no operator `{op}`: write `let {name} = {name} {sign} {value}`");
            Err(syn::Error::new_spanned(binary.op, text))
        }
        value => Err(syn::Error::new_spanned(
            value,
            "this value is dropped: bind it with `let`, or leave out the `;` to return it",
        )),
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
    matches!(
        expr,
        Expr::ForLoop(_)
            | Expr::While(_)
            | Expr::Loop(_)
            | Expr::If(_)
            | Expr::Match(_)
            | Expr::Macro(_)
    )
}

fn is_compound(op: &BinOp) -> bool {
    matches!(
        op,
        BinOp::AddAssign(_) | BinOp::SubAssign(_) | BinOp::MulAssign(_) | BinOp::DivAssign(_)
    )
}
