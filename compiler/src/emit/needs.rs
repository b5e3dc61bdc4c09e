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
            Statement::Fits(_) | Statement::Within(..) => quote!(__private::None),
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
    fn collect<'a>(dim: &'a Dim, names: &mut Vec<&'a str>) {
        for atom in dim.atoms() {
            match atom {
                Atom::Run(name) if !names.contains(&name.as_str()) => names.push(name),
                Atom::Run(_) | Atom::Const(..) => {}
                Atom::Quotient(a, b) => [a, b].into_iter().for_each(|part| collect(part, names)),
                Atom::Sum(a) => collect(a, names),
            }
        }
    }
    let mut names = Vec::new();
    sizes.into_iter().for_each(|dim| collect(dim, &mut names));
    let names = names.into_iter().map(run_ident);
    quote!(#(#names),*)
}
