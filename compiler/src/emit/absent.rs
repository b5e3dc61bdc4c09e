//! What a function of another model is where that has none of its name, or is no model: a trait of
//! all types, behind whose constants those of models stand. With it the rest of the generated code
//! has its types, and one check says what is wrong.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;

use super::Model;
use crate::graph::callee::{function_value, step_value};
use crate::hygiene::quote;

/// The trait, for the scope in which functions of other models are named; nothing where the macro
/// knows them all.
pub fn functions(model: &Model) -> TokenStream {
    let (mut functions, mut steps) = (BTreeSet::new(), BTreeSet::new());
    for function in model.functions.iter().flatten() {
        let graphs = [Some(&function.infer.0), function.step.as_ref().map(|step| &step.graph)];
        for node in graphs.into_iter().flatten().flat_map(|graph| &graph.nodes) {
            let Some(callee) = node.op.callee().filter(|callee| !callee.is_known) else { continue };
            functions.insert(&callee.function);
            if callee.is_step {
                steps.insert(&callee.function);
            }
        }
    }
    if functions.is_empty() {
        return TokenStream::new();
    }
    let functions = functions.into_iter().map(function_value);
    let steps = steps.into_iter().map(step_value);
    quote! {
        use __private::NoModel as _;
        trait Absent {
            #(const #functions: __private::Broken<0> = __private::Broken::ABSENT;)*
            #(const #steps: __private::NoStep = __private::NoStep;)*
        }
        impl<T: ?::core::marker::Sized> Absent for T {}
    }
}
