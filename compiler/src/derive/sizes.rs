//! The parameters of a struct: constants, and types that are sizes.

use std::collections::BTreeMap;

use proc_macro2::{Ident, Literal, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Expr, GenericParam, Generics, Type, WherePredicate, parse_quote};

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::syntax::{TypeExpr, numeral, value};

/// The parameters, with their bounds where they are declared.
pub fn generics(input: &DeriveInput, diagnostics: &mut Diagnostics) -> Generics {
    let mut generics = input.generics.clone();
    let bounds = generics.where_clause.take();
    for bound in bounds.into_iter().flat_map(|bounds| bounds.predicates) {
        let of_param = match &bound {
            WherePredicate::Type(of) if of.lifetimes.is_none() => match &of.bounded_ty {
                Type::Path(path) => generics.params.iter_mut().find_map(|param| match param {
                    GenericParam::Type(param) if path.path.is_ident(&param.ident) => {
                        Some((param, of.bounds.clone()))
                    }
                    _ => None,
                }),
                _ => None,
            },
            _ => None,
        };
        match of_param {
            Some((param, bounds)) => param.bounds.extend(bounds),
            None => {
                let error = Diagnostic::over(&bound, "sizes need no bounds of this form");
                let help = "write `D: Size` where `D` is declared, and `Times<U4, D>` for products";
                diagnostics.push(error.help(help));
            }
        }
    }
    for param in &generics.params {
        if let GenericParam::Lifetime(lifetime) = param {
            let error = Diagnostic::over(lifetime, "a module holds nothing that has a lifetime");
            diagnostics.push(error.help("take the parameter out"));
        }
    }
    generics
}

/// Names the parameters that are types by their numbers: `4 * D` in `input = [batch, 4 * D]`.
pub fn in_shape(ty: &mut TypeExpr, params: &[Ident]) {
    if !params.is_empty() {
        ty.dims.iter_mut().for_each(|dim| numbers(dim, params));
    }
}

fn numbers(expr: &mut Expr, params: &[Ident]) {
    match expr {
        Expr::Paren(inner) => numbers(&mut inner.expr, params),
        Expr::Group(inner) => numbers(&mut inner.expr, params),
        Expr::Binary(binary) => {
            numbers(&mut binary.left, params);
            numbers(&mut binary.right, params);
        }
        Expr::Path(path) if path.qself.is_none() => match path.path.get_ident() {
            Some(name) if params.contains(name) => *expr = value(&parse_quote!(#name)),
            Some(name) => {
                if let Some(number) = numeral(name) {
                    let mut number = Literal::usize_unsuffixed(number);
                    number.set_span(name.span());
                    *expr = parse_quote!(#number);
                }
            }
            None => {}
        },
        _ => {}
    }
}

/// Holds the types that were read as numbers, `U4`, to these numbers.
pub fn numerals(input: &DeriveInput) -> TokenStream {
    let mut found = BTreeMap::new();
    let syn::Data::Struct(data) = &input.data else { return TokenStream::new() };
    for field in &data.fields {
        collect(field.ty.to_token_stream(), &mut found);
    }
    let checks = found.values().map(|(path, number)| {
        let text = path.to_string();
        quote_spanned!(path.span()=>
            ::core::assert!(
                <#path as ::gradiron::__private::Size>::VALUE == #number,
                ::core::concat!("`", #text, "` is another number than its name says")
            );
        )
    });
    let checks: Vec<_> = checks.collect();
    match checks.is_empty() {
        true => TokenStream::new(),
        false => quote!(const _: () = { #(#checks)* };),
    }
}

/// The paths of numerals, once each.
fn collect(tokens: TokenStream, found: &mut BTreeMap<String, (TokenStream, usize)>) {
    let mut path = TokenStream::new();
    for token in tokens {
        match &token {
            TokenTree::Group(group) => collect(group.stream(), found),
            TokenTree::Punct(punct) if punct.as_char() == ':' => {
                path.extend([token]);
                continue;
            }
            TokenTree::Ident(name) => {
                // A name behind another one starts a path of its own.
                let is_part = path
                    .clone()
                    .into_iter()
                    .last()
                    .is_none_or(|last| matches!(last, TokenTree::Punct(_)));
                if !is_part {
                    path = TokenStream::new();
                }
                path.extend([token.clone()]);
                if let Some(number) = numeral(name) {
                    let path = std::mem::take(&mut path);
                    found.entry(path.to_string()).or_insert((path, number));
                }
                continue;
            }
            _ => {}
        }
        path = TokenStream::new();
    }
}
