//! The compiler behind gradiron's `model!` and `#[derive(Module)]`; see the crate `gradiron`.

mod derive;
mod diagnostics;
mod differentiate;
mod dim;
mod dump;
mod emit;
mod fuse;
mod graph;
mod layers;
mod lower;
mod model;
mod ops;
mod plan;
mod syntax;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Declares a network: its layers, and functions over them. Documented in the crate `gradiron`.
#[proc_macro]
pub fn model(tokens: TokenStream) -> TokenStream {
    model::expand(tokens.into()).into()
}

/// Makes a plain struct of layers and models a module that runs its fields in order. Documented in
/// the crate `gradiron`.
#[proc_macro_derive(Module, attributes(module))]
pub fn derive_module(tokens: TokenStream) -> TokenStream {
    derive::expand(tokens.into()).into()
}
