//! `gradiron::language`: a module for each name that a model can be written with, whose docs are
//! its entry of the reference. Models name them where their texts do, so that editors show them.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::reference::{Entry, sections};

/// The modules.
pub fn items() -> TokenStream {
    let sections = sections();
    let module = |(name, docs): (&str, &str)| {
        let of_module = sections.iter().filter(|section| section.module == name);
        let mut seen = HashSet::new();
        let entries = of_module.flat_map(|section| &section.entries);
        let entries = entries.filter(|entry| seen.insert(entry.row.name)).map(entry);
        let name = format_ident!("{name}");
        quote! {
            #[doc = #docs]
            pub mod #name { #(#entries)* }
        }
    };
    let modules = [
        ("layers", "Layers, which are fields: `fc: Linear(784 -> 128)`."),
        ("operations", "Methods of values, `x.relu()`, and functions, `cat([x, y], 1)`."),
        ("losses", "Losses: `cross_entropy(logits, label)`."),
    ];
    modules.map(module).into_iter().collect()
}

fn entry(entry: &Entry) -> TokenStream {
    let (name, formula) = (format_ident!("{}", entry.row.name), entry.row.formula);
    // To rustdoc, `y[o, i, j]` is a link.
    let docs = entry.text().replacen(formula, &formula.replace('[', "\\["), 1);
    let mut seen = HashSet::new();
    let options = entry.row.options.iter().chain(entry.row.call_options);
    let options = options.filter(|option| seen.insert(option.name)).map(|option| {
        let (name, default) = (format_ident!("{}", option.name), option.default_text());
        let docs = format!("Takes {}. Default: {default}.", option.domain_text());
        let default = default.replace('`', "");
        quote! {
            #[doc = #docs]
            pub const #name: &str = #default;
        }
    });
    quote! {
        #[doc = #docs]
        pub mod #name { #(#options)* }
    }
}
