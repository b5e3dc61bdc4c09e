//! The functions of a model with mistakes: models that use it compile, and its own mistakes are
//! all that is reported.

use proc_macro2::TokenStream;

use super::{Model, checks};
use crate::declared::Interface;
use crate::graph::callee::{function_value, step_value};
use crate::hygiene::quote;

pub fn items(model: &Model, function: &Interface) -> TokenStream {
    let (value, step) = (function_value(&function.name), step_value(&function.name));
    let (declared, _) = model.generic_lists();
    let (path, signature) = (model.generics().1, checks::signature(function));
    let vis = model.vis();
    let count = syn::Index::from(function.args.len());
    quote! {
        impl #declared #path {
            #[doc(hidden)]
            #vis const #value: __private::Broken<#count> = __private::Broken(#signature);
            #[doc(hidden)]
            #vis const #step: __private::NoStep = __private::NoStep;
        }
    }
}
