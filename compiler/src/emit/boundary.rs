//! The types that users hand in and get back: plain nested arrays, a slice of them for a batch, and
//! tensors with sizes of their own where arrays cannot say them.

use std::collections::HashSet;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use syn::Index;

use crate::dim::{Dim, Shape};
use crate::graph::{Kind, Ty};
use crate::hygiene::quote;
use crate::text::mentions;

/// How a shape looks in a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// `[]`: `f32`
    Number,
    /// `[3, 4]`: `&[[f32; 4]; 3]`
    Array,
    /// `[batch, 784]`: `&[[f32; 784]]`
    Batch,
    /// Sizes that types cannot name (`[batch, 4 * D]`): `&[f32]`, its length checked at run time
    Flat,
    /// Run-time sizes behind the first (`[batch, 3, h, w]`): a tensor that knows its sizes
    Tensor,
}

pub fn view_of(shape: &Shape, generics: &HashSet<String>) -> View {
    if shape.0.iter().skip(1).any(Dim::is_run_time) {
        return View::Tensor;
    }
    let (lead, rest) = match shape.0.split_first() {
        None => return View::Number,
        Some((lead, rest)) if lead.is_run_time() => (Some(lead), rest),
        Some(_) => (None, &shape.0[..]),
    };
    // `2 * batch` is no length that a slice could have by itself.
    let simple_lead = lead.is_none_or(|lead| lead.as_run().is_some());
    match (simple_lead && rest.iter().all(|dim| is_nameable(dim, generics)), lead) {
        (false, _) => View::Flat,
        (true, Some(_)) => View::Batch,
        (true, None) => View::Array,
    }
}

/// Array lengths may use a const parameter only by itself.
fn is_nameable(dim: &Dim, generics: &HashSet<String>) -> bool {
    let tokens = dim.tokens();
    let alone = tokens.clone().into_iter().count() == 1
        && matches!(tokens.clone().into_iter().next(), Some(TokenTree::Ident(_)));
    alone || !mentions(&tokens, generics)
}

/// `[[f32; 4]; 3]`
pub fn array(dims: &[Dim]) -> TokenStream {
    array_of(quote!(f32), dims)
}

pub fn array_of(element: TokenStream, dims: &[Dim]) -> TokenStream {
    dims.iter().rev().fold(element, |element, dim| {
        let dim = dim.tokens();
        let braces = dim.clone().into_iter().count() > 1;
        if braces { quote!([#element; { #dim }]) } else { quote!([#element; #dim]) }
    })
}

/// The type of a result, behind the lifetime `life`.
pub fn ty(shape: &Shape, view: &View, life: &TokenStream) -> TokenStream {
    match view {
        View::Number => quote!(f32),
        View::Array => {
            let array = array(&shape.0);
            quote!(& #life #array)
        }
        View::Batch => {
            let sample = array(&shape.0[1..]);
            quote!(& #life [#sample])
        }
        View::Flat => quote!(& #life [f32]),
        View::Tensor => {
            let rank = Index::from(shape.rank());
            let life = if life.is_empty() { quote!('_) } else { life.clone() };
            quote!(__private::TensorView<#life, #rank>)
        }
    }
}

/// The type of an argument.
pub fn arg_ty(shape: &Shape, view: &View, life: &TokenStream) -> TokenStream {
    match view {
        View::Tensor => {
            let rank = Index::from(shape.rank());
            quote!(& #life (impl __private::AsTensor<#rank, Element = f32> + ?::core::marker::Sized))
        }
        _ => ty(shape, view, life),
    }
}

/// The type of an argument where a trait names it: one type. `element` is that of class indices.
pub fn trait_ty(ty: &Ty, generics: &HashSet<String>, life: &TokenStream) -> TokenStream {
    let (shape, view) = (&ty.shape, view_of(&ty.shape, generics));
    let rank = Index::from(shape.rank());
    match (ty.kind, view) {
        (Kind::Classes, View::Tensor) => quote!(__private::TensorView<#life, #rank, u32>),
        (Kind::Classes, View::Number) => quote!(u32),
        (Kind::Classes, view) => {
            let indices = indices(shape, &view, &quote!(u32));
            let indices = indices.into_iter().skip(1).collect::<TokenStream>();
            quote!(& #life #indices)
        }
        (_, view) => self::ty(shape, &view, life),
    }
}

/// The type of an argument of class indices, each an `index`.
pub fn indices(shape: &Shape, view: &View, index: &TokenStream) -> TokenStream {
    match view {
        View::Number => index.clone(),
        View::Array => {
            let array = array_of(index.clone(), &shape.0);
            quote!(& #array)
        }
        View::Batch => {
            let sample = array_of(index.clone(), &shape.0[1..]);
            quote!(&[#sample])
        }
        View::Flat => quote!(&[#index]),
        View::Tensor => {
            let rank = Index::from(shape.rank());
            quote!(&(impl __private::AsTensor<#rank, Element: __private::ClassIndex> + ?::core::marker::Sized))
        }
    }
}

/// All indices of such an argument, one behind the other.
pub fn flat_indices(name: &Ident, shape: &Shape, view: &View) -> TokenStream {
    let (all, nested) = match view {
        View::Number => (quote!(::core::slice::from_ref(&#name)), 0),
        View::Array => (quote!(::core::slice::from_ref(#name)), shape.rank()),
        View::Batch => (quote!(#name), shape.rank() - 1),
        View::Flat => (quote!(#name), 0),
        View::Tensor => (quote!(#name.as_slice()), 0),
    };
    (0..nested).fold(all, |all, _| quote!(#all.as_flattened()))
}

/// Items of an `impl` as if what comes before their bodies stood at `span`: there rustc says that a
/// method of the user's has the name of one of them.
pub fn items_at(items: TokenStream, span: Span) -> TokenStream {
    let mut tokens: Vec<TokenTree> = items.into_iter().collect();
    let (mut first, mut at) = (None, 0);
    while at < tokens.len() {
        let sign = match &tokens[at] {
            TokenTree::Punct(punct) => punct.as_char(),
            _ => ' ',
        };
        // An attribute.
        if sign == '#' && first.is_none() {
            at += 2;
            continue;
        }
        let start: usize = *first.get_or_insert(at);
        let is_keyword = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word == "fn" || word == "const");
        let is_body =
            matches!(&tokens[at], TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
        if (is_body || sign == '=') && at > start {
            for (edge, token) in tokens[start..at].iter_mut().enumerate() {
                if edge == 0 || start + edge + 1 == at || is_keyword(token) {
                    token.set_span(token.span().located_at(span));
                }
            }
            first = (sign == '=').then_some(at);
        }
        if is_body || sign == ';' {
            first = None;
        }
        at += 1;
    }
    tokens.into_iter().collect()
}

/// A type as if it stood at `span`: what rustc says of it, it says there. Constants in it stay
/// where the user wrote them.
pub fn at(tokens: TokenStream, span: Span) -> TokenStream {
    let moved = tokens.into_iter().map(|token| match token {
        TokenTree::Group(group) => {
            let mut moved = Group::new(group.delimiter(), at(group.stream(), span));
            moved.set_span(group.span().located_at(span));
            TokenTree::Group(moved)
        }
        TokenTree::Ident(name) if name != "f32" => TokenTree::Ident(name),
        mut token => {
            token.set_span(token.span().located_at(span));
            token
        }
    });
    moved.collect()
}
