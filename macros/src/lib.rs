//! The compiler behind gradiron's `model!` and `#[derive(Module)]`; see the crate `gradiron`.

mod derive;
mod diagnostics;
mod differentiate;
mod dim;
mod dump;
mod emit;
mod expand;
mod fuse;
mod graph;
mod hygiene;
mod layers;
mod lower;
mod model;
mod ops;
mod plan;
mod prepare;
mod step;
mod store;
mod syntax;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

// The docs of both macros are in the crate `gradiron`, where they run as tests.

#[allow(missing_docs)]
#[proc_macro]
pub fn model(tokens: TokenStream) -> TokenStream {
    model::expand(tokens.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_derive(Module, attributes(module, name))]
pub fn derive_module(tokens: TokenStream) -> TokenStream {
    derive::expand(tokens.into()).into()
}
