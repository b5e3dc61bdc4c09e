//! What editors find of the words of a model: each is named once more, at the user's place, by an
//! import that imports nothing.

use std::collections::HashMap;

use proc_macro2::TokenStream;

use super::Model;
use crate::hygiene::{quote, variable};
use crate::mentions::Name;

pub fn items(model: &Model) -> TokenStream {
    let mentions = &model.mentions;
    let words = &mentions.language;
    // The words of a derived module are Rust's own.
    if model.derived || words.is_empty() && mentions.names.is_empty() {
        return TokenStream::new();
    }
    // Those of one name stand in modules of their own, of which there are as many as that.
    let mut modules: Vec<Vec<TokenStream>> = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    let place = |Name { ident, is, docs }: &Name| {
        let count = seen.entry(ident.to_string()).or_default();
        if modules.len() == *count {
            modules.push(Vec::new());
        }
        modules[*count].push(quote!(#docs pub const #ident: &str = #is;));
        *count += 1;
        variable!("names_{}", *count - 1)
    };
    let places: Vec<_> = mentions.names.iter().map(place).collect();
    let modules = modules.iter().enumerate().map(|(at, names)| {
        let module = variable!("names_{at}");
        quote!(mod #module { #(#names)* })
    });
    let uses = mentions.uses.iter().map(|(name, ident)| {
        let module = &places[*name];
        quote!(#module::#ident as _)
    });
    quote! {
        #[allow(unused, non_upper_case_globals, unreachable_pub, clippy::all)]
        const _: () = {
            use ::gradiron::language::{#(#words as _),*};
            #(#modules)*
            use {#(#uses),*};
        };
    }
}
