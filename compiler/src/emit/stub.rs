//! The hidden items of a model with mistakes: models that use it compile, and its own mistakes are
//! all that is reported.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::calls::{Half, empty_pass};
use super::hidden;

pub fn hidden_items(function: &Ident) -> TokenStream {
    let item = |suffix| hidden(function, suffix);
    let (bind, offsets, infer_offsets) = (item("bind"), item("offsets"), item("infer_offsets"));
    let (flops, stored) = (item("flops"), ["saved", "scratch", "infer_scratch"].map(item));
    let target = quote!(::gradiron::__rt::device::Target);
    let tables = ["TABLE", "INFER_TABLE"].map(item);
    let (code_size, bounds, lengths) = (item("code_size"), item("bounds"), item("lengths"));
    let passes = [Half::INFER, Half::TRAIN, Half::BACK].map(|half| empty_pass(function, half));
    let sizes_type = quote!(::gradiron::__rt::arena::Sizes);
    quote! {
        #[doc(hidden)]
        pub const fn #bind<const Args: usize>(leads: [usize; Args]) -> #sizes_type {
            [1; 4]
        }
        #[doc(hidden)]
        pub const fn #flops(n: #sizes_type) -> usize { 0 }
        #(#[doc(hidden)] pub const fn #stored(n: #sizes_type, target: #target) -> usize { 0 })*
        #(#[doc(hidden)] pub const #tables: usize = 0;)*
        #[doc(hidden)]
        pub const #code_size: [usize; 2] = [0; 2];
        #[doc(hidden)]
        pub const fn #bounds(n: #sizes_type) -> [usize; 16] { [0; 16] }
        #[doc(hidden)]
        pub const #lengths: [bool; 16] = [false; 16];
        #[doc(hidden)]
        pub fn #offsets(
            n: #sizes_type, want_inputs: bool, whole: bool, target: #target, out: &mut Vec<usize>,
        ) {}
        #[doc(hidden)]
        pub fn #infer_offsets(n: #sizes_type, target: #target, out: &mut Vec<usize>) {}
        #(#passes)*
    }
}
