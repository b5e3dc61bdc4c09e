//! What a function needs of its run-time sizes beyond what rustc knows, found before a run.

use proc_macro2::TokenStream;

use super::function::callees;
use super::{Function, Model};
use crate::dim::{Atom, Dim, run_ident};
use crate::graph::Statement;
use crate::hygiene::quote;

/// Whether a run has to look at its sizes: the function needs something of them, or a model that it
/// calls may.
pub fn are_there(function: &Function) -> bool {
    !function.needs.is_empty() || !callees(&function.infer.0).is_empty()
}

/// The method that finds what sizes do not meet. Sizes of 0 are not known, and nothing is said of
/// them.
pub fn unmet(model: &Model, function: &Function) -> TokenStream {
    let own = function.needs.iter().map(|need| {
        let (message, names) = (&need.message, names(need.what.sizes()));
        let side = |dim: &Dim| {
            let (text, value) = (dim.to_string(), dim.exact());
            quote!((#text, #value))
        };
        match &need.what {
            Statement::Equal(left, right) => {
                let (left, right) = (side(left), side(right));
                quote!(__private::check::equal_at_run_time(&[#names], #left, #right, #message))
            }
            Statement::AtLeast(size, least) => {
                let (size, least) = (side(size), side(least));
                quote!(__private::check::at_least_at_run_time(&[#names], #size, #least, #message))
            }
            // About constants.
            Statement::Fits(_) | Statement::Within(..) | Statement::Number(_) => {
                quote!(__private::None)
            }
        }
    });
    let nested = callees(&function.infer.0).into_iter().map(|callee| {
        callee.unmet(|dim| match dim.is_run_time() {
            true => {
                let (names, size) = (names([dim]), dim.saturating_tokens());
                quote!(__private::check::known(&[#names], #size))
            }
            false => dim.tokens(),
        })
    });
    let all: Vec<_> = own.chain(nested).collect();
    let (bind, found) = match all.is_empty() {
        true => (quote!(), quote!(__private::None)),
        false => (model.bind_sizes(), quote!(__private::check::first(&[#(#all),*]))),
    };
    quote! {
        pub const fn unmet(self, n: __private::Sizes) -> __private::Option<__private::check::Unmet> {
            #bind
            #found
        }
    }
}

/// The variables of all run-time names in these sizes.
fn names<'a>(sizes: impl IntoIterator<Item = &'a Dim>) -> TokenStream {
    let mut names: Vec<&Atom> = Vec::new();
    for name in sizes.into_iter().flat_map(Dim::run_time_names) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let names = names.into_iter().map(|name| run_ident(&name.to_string()));
    quote!(#(#names),*)
}
