//! The parameters of a struct: constants, and types that are sizes.

use std::collections::BTreeMap;

use proc_macro2::{Ident, Literal, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    DeriveInput, Expr, GenericParam, Generics, Token, Type, TypeParamBound, WherePredicate,
    parse_quote,
};

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::syntax::{TypeExpr, numeral, value};

/// The parameters, with their bounds where they are declared.
pub fn generics(input: &DeriveInput, diagnostics: &mut Diagnostics) -> Generics {
    let mut generics = input.generics.clone();
    let bounds = generics.where_clause.take();
    for bound in bounds.into_iter().flat_map(|bounds| bounds.predicates) {
        let bounds = of_param(&bound, &input.generics);
        let param = generics.params.iter_mut().find_map(|param| match (param, &bounds) {
            (GenericParam::Type(param), Some((name, bounds))) if param.ident == **name => {
                Some((param, bounds))
            }
            _ => None,
        });
        match param {
            Some((param, bounds)) => param.bounds.extend((*bounds).clone()),
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

/// The parameter that a bound is of, and what is said of it.
fn of_param<'a>(
    bound: &'a WherePredicate,
    generics: &'a Generics,
) -> Option<(&'a Ident, &'a Punctuated<TypeParamBound, Token![+]>)> {
    let WherePredicate::Type(of) = bound else { return None };
    let Type::Path(path) = &of.bounded_ty else { return None };
    let param = generics.type_params().find(|param| path.path.is_ident(&param.ident))?;
    of.lifetimes.is_none().then_some((&param.ident, &of.bounds))
}

/// Whether all bounds are those of parameters.
pub fn are_bounds_known(input: &DeriveInput) -> bool {
    let bounds = input.generics.where_clause.iter().flat_map(|bounds| &bounds.predicates);
    bounds.into_iter().all(|bound| of_param(bound, &input.generics).is_some())
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
