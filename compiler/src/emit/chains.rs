//! The fused chains of a model: equal ones are one type, whichever function they stand in, since
//! each is compiled for every instruction set.

use std::collections::{HashMap, HashSet};

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};

use super::Model;
use crate::graph::Op;
use crate::passes::Form;

/// The types of the chains, by what they compute.
#[derive(Debug, Default)]
pub struct Chains {
    names: HashMap<String, Ident>,
    items: TokenStream,
}

impl Chains {
    pub fn new(model: &Model) -> Self {
        let mut chains = Self { ..Self::default() };
        let mut taken = HashSet::new();
        for function in model.functions.iter().flatten() {
            for form in [Form::Infer, Form::Train, Form::Step] {
                let Some((graph, _)) = function.planned(form) else { continue };
                graph.nodes.iter().for_each(|node| chains.add(&*node.op, &mut taken));
            }
        }
        chains
    }

    fn add(&mut self, op: &dyn Op, taken: &mut HashSet<String>) {
        let key = key(op);
        if key.is_empty() || self.names.contains_key(&key) {
            return;
        }
        let base = op.item_name();
        let numbered = (2..).map(|i| format!("{base}{i}"));
        let name = std::iter::once(base.clone()).chain(numbered).find(|name| !taken.contains(name));
        let name = name.expect("there are enough numbers");
        let ident = Ident::new(&name, Span::call_site());
        self.items.extend(op.items(&ident));
        taken.insert(name);
        self.names.insert(key, ident);
    }

    /// The path of an op's type.
    pub fn path(&self, op: &dyn Op) -> TokenStream {
        match self.names.get(&key(op)) {
            Some(name) => quote!(__chains::#name),
            None => TokenStream::new(),
        }
    }

    /// The module that holds the types.
    pub fn definitions(&self) -> TokenStream {
        if self.items.is_empty() {
            return TokenStream::new();
        }
        let items = &self.items;
        quote! {
            mod __chains {
                use ::gradiron::__private::Operand::*;
                use ::gradiron::__private::{
                    Arith, Blocks, Elementwise, Epilogue, Link, functions, on_blocks,
                };
                #items
            }
        }
    }
}

/// What the op's item is, but for its name.
fn key(op: &dyn Op) -> String {
    op.items(&format_ident!("Chain")).to_string()
}
