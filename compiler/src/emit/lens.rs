//! The elements of a graph's values, each number once and by a name.

use proc_macro2::{Ident, TokenStream};

use crate::dim::Dim;
use crate::graph::{Graph, Kind, Source, Value};
use crate::hygiene::{quote, variable};

/// The numbers of elements that are not small and known: not of what nested calls keep in a form of
/// their own. Where all of them have an index, nothing that follows from them leaves the range of a
/// `usize`.
pub struct Lens(Vec<Dim>);

impl Lens {
    pub fn new(graph: &Graph) -> Self {
        let mut lens: Vec<Dim> = Vec::new();
        let own = |value: &&Value| {
            value.ty.kind != Kind::Saved && !matches!(value.source, Source::Cache(_))
        };
        for value in graph.values.iter().filter(own) {
            let len = value.ty.shape.len();
            if len.as_lit().is_none_or(|len| len > 1 << 20) && !lens.contains(&len) {
                lens.push(len);
            }
        }
        Self(lens)
    }

    fn variable(at: usize) -> Ident {
        variable!("len_{at}")
    }

    /// `let len_0 = …;`
    pub fn bind(&self) -> TokenStream {
        let lets = self.0.iter().enumerate().map(|(at, len)| {
            let (name, len) = (Self::variable(at), len.saturating_tokens());
            quote!(let #name = #len;)
        });
        lets.collect()
    }

    /// All of them.
    pub fn all(&self) -> TokenStream {
        let names = (0..self.0.len()).map(Self::variable);
        quote!(&[#(#names),*])
    }

    /// One of them by its name; any other size as it is.
    pub fn of(&self, size: &Dim) -> TokenStream {
        match self.0.iter().position(|len| len == size) {
            Some(at) => {
                let name = Self::variable(at);
                quote!(#name)
            }
            None => size.saturating_tokens(),
        }
    }
}
