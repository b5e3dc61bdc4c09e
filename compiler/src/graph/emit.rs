//! What an op sees of a graph and its plan while its call of the runtime is written.

use proc_macro2::TokenStream;

use super::Ty;
use crate::hygiene::quote;

/// What an op sees while its runtime call is emitted.
pub struct Emit {
    pub inputs: Vec<Ty>,
    pub outputs: Vec<Ty>,
    /// The variables that hold the ranges.
    pub input_vars: Vec<TokenStream>,
    pub output_vars: Vec<TokenStream>,
    /// Whether an output is read by anything.
    pub used: Vec<bool>,
    pub scratch: Option<TokenStream>,
    /// The path of the op's item.
    pub item: TokenStream,
    /// Set while inference is emitted.
    pub inference: bool,
    /// The operands of the chain that follows, for an op that takes one.
    pub then: Option<TokenStream>,
}

impl Emit {
    pub fn x(&self, i: usize) -> &TokenStream {
        &self.input_vars[i]
    }

    pub fn y(&self, i: usize) -> &TokenStream {
        &self.output_vars[i]
    }

    pub fn scratch(&self) -> &TokenStream {
        self.scratch.as_ref().expect("the op declares scratch memory")
    }

    /// `k.matmul(args)`, or `k.matmul_map::<Chain, _, _, _, _>(args, operands)` when a chain
    /// follows.
    pub fn call(&self, kernel: &str, args: &TokenStream) -> TokenStream {
        let Some(operands) = &self.then else {
            let kernel = quote::format_ident!("{kernel}");
            return quote!(k.#kernel(#args););
        };
        let (kernel, item) = (quote::format_ident!("{kernel}_map"), &self.item);
        quote!(k.#kernel::<#item, _, _, _, _>(#args, #operands);)
    }
}
