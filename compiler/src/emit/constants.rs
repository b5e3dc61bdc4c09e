//! Arrays that are constants of the program's, as passes name them.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::spanned::Spanned;

use super::Model;
use super::boundary::array_of;
use crate::declared::Fixed;
use crate::graph::Kind;
use crate::hygiene::quote;

/// The constant of the model that holds the array of this number.
pub fn item(at: usize) -> Ident {
    format_ident!("__CONSTANT_{at}")
}

/// Each array where passes find it. Class indices become `u32`s, which kernels read.
pub fn items(model: &Model) -> TokenStream {
    if model.constants.is_empty() || model.functions.is_none() {
        return TokenStream::new();
    }
    let items = model.constants.iter().enumerate().map(|(at, fixed)| match fixed.ty.kind {
        Kind::Classes => indices(at, fixed),
        _ => {
            let (item, path) = (item(at), &fixed.path);
            let constant = quote!(__private::constant::Constant::<f32>);
            let array = quote_spanned!(path.span()=> &#path);
            quote!(const #item: &'static #constant = &#constant::of(#array);)
        }
    });
    let (declared, path) = (model.generic_lists().0, model.generics().1);
    quote!(impl #declared #path { #(#items)* })
}

/// Whole numbers of any type as `u32`s in arrays of the same sizes.
fn indices(at: usize, fixed: &Fixed) -> TokenStream {
    let (item, made, path) = (item(at), format_ident!("__INDICES_{at}"), &fixed.path);
    let (ty, text) = (array_of(quote!(u32), fixed.ty.dims()), &fixed.text);
    let zeros = fixed.ty.dims().iter().rev().fold(quote!(0_u32), |element, dim| {
        let dim = dim.tokens();
        quote!([#element; { #dim }])
    });
    let flat = (0..fixed.ty.shape.rank())
        .fold(quote!(::core::slice::from_mut(&mut made)), |all, _| quote!(#all.as_flattened_mut()));
    let constant = quote!(__private::constant::Constant::<u32>);
    let array = quote_spanned!(path.span()=> &#path);
    quote! {
        const #made: #ty = {
            let from = __private::constant::whole_numbers(#array);
            let mut made = #zeros;
            let to = #flat;
            let mut at = 0;
            while at < to.len() && at < from.len() {
                to[at] = __private::check::class_index(from[at] as i128, #text);
                at += 1;
            }
            made
        };
        const #item: &'static #constant = &#constant::of_indices(&Self::#made);
    }
}
