//! The macros `model!` and `#[derive(Module)]` of the crate `gradiron`, which has their docs, where
//! they run as tests. What they do is in the crate `gradiron-compiler`, an ordinary library that
//! tests can call: a crate of macros exports nothing else.

use proc_macro::TokenStream;

#[allow(missing_docs)]
#[proc_macro]
pub fn model(tokens: TokenStream) -> TokenStream {
    gradiron_compiler::model::expand(tokens.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_derive(Module, attributes(module, name, frozen, budget))]
pub fn derive_module(tokens: TokenStream) -> TokenStream {
    gradiron_compiler::derive::expand(tokens.into()).into()
}

/// The layers as types, which stand in `gradiron::layers`.
#[doc(hidden)]
#[proc_macro]
pub fn layer_types(_: TokenStream) -> TokenStream {
    gradiron_compiler::layers::types().into()
}

/// The same with types as sizes, which stand in `gradiron::typed`.
#[doc(hidden)]
#[proc_macro]
pub fn typed_layer_types(_: TokenStream) -> TokenStream {
    gradiron_compiler::layers::typed_types().into()
}

/// A module for each word of the language, which stand in `gradiron::language`.
#[doc(hidden)]
#[proc_macro]
pub fn language(_: TokenStream) -> TokenStream {
    gradiron_compiler::language::items().into()
}
