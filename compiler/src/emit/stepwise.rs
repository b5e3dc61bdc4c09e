//! Functions that run step by step: the memory of the positions before, and the pass over the next
//! ones.

use proc_macro2::TokenStream;
use syn::Index;

use super::calls::{Half, pass};
use super::chains::Chains;
use super::function::layout;
use super::prepared::Values;
use super::{Function, Model, StepForm, function_type, step_type};
use crate::dim::{Dim, product};
use crate::graph::callee::{function_value, step_value};
use crate::graph::step::{Held, axis_of};
use crate::graph::{Kind, Source, Ty};
use crate::hygiene::quote;
use crate::passes::Form;

/// The steps of all functions: a type for each, or what says that there is none.
pub fn items(model: &Model, chains: &Chains, prepared: &Values) -> TokenStream {
    let functions = model.functions.iter().flatten();
    let items = functions.enumerate().map(|(at, function)| match &function.step {
        Some(step) => {
            let (own, run) = (
                step_items(model, function, step, chains, prepared),
                implementation(model, at, function),
            );
            quote!(#own #run)
        }
        None => value(model, function, &quote!(__private::NoStep), &quote!(__private::NoStep)),
    });
    items.collect()
}

/// The constant of the model that stands for the step.
fn value(model: &Model, function: &Function, ty: &TokenStream, of: &TokenStream) -> TokenStream {
    let (declared, path) = (model.generic_lists().0, model.generics().1);
    let (name, vis) = (step_value(&function.name), model.vis());
    quote! {
        impl #declared #path {
            #[doc(hidden)]
            #vis const #name: #ty = #of;
        }
    }
}

fn step_items(
    model: &Model,
    function: &Function,
    step: &StepForm,
    chains: &Chains,
    prepared: &Values,
) -> TokenStream {
    let (declared, given) = model.generic_lists();
    let (path, ty) = (model.path(), step_type(&function.name));
    let (value, whole) =
        (value(model, function, &quote!(#ty #given), &quote!(#ty)), function_value(&function.name));
    let (vis, layout) = (model.vis(), layout(model, function, Form::Step));
    let pass = pass(model, function, chains, prepared, Half::STEP);
    let (past, length) = (Index::from(model.sizes().len()), step.length.tokens());
    let new = Index::from(past.index as usize + 1);
    let n = quote!(__private::Sizes);
    let ends = caches(step).into_iter().enumerate().map(|(k, len)| {
        let (k, next, len) = (Index::from(k), Index::from(k + 1), len.saturating_tokens());
        quote!(at[#next] = __private::plus(at[#k], __private::padded(#len));)
    });
    let ends: Vec<_> = ends.collect();
    let count = Index::from(ends.len());
    let nested = || {
        let callees = step.graph.nodes.iter().filter_map(|node| node.op.callee());
        callees.filter(|callee| callee.is_step)
    };
    let held_in_nested = nested().map(|callee| callee.item("held"));
    let nested = nested().map(|callee| callee.stated(&["cache"]));
    let Held { positions, states } = step.held;
    let args = function.args.iter().map(|arg| &arg.ty);
    let of_positions =
        args.chain(&function.results).map(|ty| axis_number(axis_of(ty, &step.length)));
    let bind_sizes = model.bind_step_sizes();
    quote! {
        #vis struct #ty #declared;
        #value
        impl #declared #ty #given {
            pub const fn length(self) -> __private::Option<usize> {
                __private::Some(#length)
            }
            /// The axis of the positions of each argument, then of each result.
            pub const fn axes(self) -> &'static [usize] {
                &[#(#of_positions),*]
            }
            /// What a step needs of the positions before.
            pub const fn held(self) -> __private::Held {
                __private::Held { positions: #positions, states: #states }
                    #(.and(#held_in_nested()))*
            }
            pub const fn bind(self, args: &[&[usize]], past: usize, new: usize) -> #n {
                let mut n = #path::#whole.bind(args);
                n[#past] = past;
                n[#new] = new;
                n
            }
            /// The sizes of the largest step.
            const fn largest(self, mut n: #n) -> #n {
                n[#past] = 0;
                n[#new] = #length;
                n
            }
            /// Where the caches start, and the length of all.
            const fn cache_at(self, n: #n) -> [usize; #count + 1] {
                #bind_sizes
                #(#nested)*
                let mut at = [0; #count + 1];
                #(#ends)*
                at
            }
            pub const fn cache(self, n: #n) -> usize {
                Self.cache_at(n)[#count]
            }
            pub const fn infer_scratch(self, n: #n, target: __private::Target) -> usize {
                Self.infer_layout(n, target).saved
            }
            #layout
            #pass
        }
    }
}

/// The axis of the positions, or that there is none, as `check::steps` compares it.
pub fn axis_number(axis: Option<usize>) -> TokenStream {
    match axis {
        Some(axis) => quote!(#axis),
        None => quote!(__private::check::NO_AXIS),
    }
}

/// The sizes of the caches, by number.
fn caches(step: &StepForm) -> Vec<Dim> {
    let mut caches: Vec<_> = step
        .graph
        .values
        .iter()
        .filter_map(|value| match value.source {
            Source::Cache(c) => Some((c, value.ty.shape.len())),
            _ => None,
        })
        .collect();
    caches.sort_by_key(|(c, _)| *c);
    caches.into_iter().map(|(_, len)| len).collect()
}

/// The floats of the arena that the largest step takes.
pub fn floats(model: &Model, function: &Function) -> TokenStream {
    let (path, step) = (model.path(), step_value(&function.name));
    match function.step {
        Some(_) => quote!(#path::#step.infer_layout(#path::#step.largest(n), target).saved),
        None => quote!(0),
    }
}

/// The step as workspaces run it.
fn implementation(model: &Model, at: usize, function: &Function) -> TokenStream {
    let Some(step) = &function.step else { return TokenStream::new() };
    let (declared, given) = model.generic_lists();
    let (path, ty, value) =
        (model.path(), function_type(&function.name), step_value(&function.name));
    let called = format!("{}_step", model.called(&function.name));
    let args = |kind: Kind| function.args.iter().filter(move |arg| arg.ty.kind == kind);
    let counts = [args(Kind::Float).count(), args(Kind::Classes).count(), function.results.len()];
    let [floats, classes, results] = counts.map(Index::from);
    let part = |ty: &Ty| {
        let row = match axis_of(ty, &step.length) {
            Some(axis) => {
                let row = product(&ty.dims()[axis + 1..]).tokens();
                quote!(Some(#row))
            }
            None => quote!(None),
        };
        let len = ty.shape.len().tokens();
        quote!(__private::StepPart { len: #len, row: #row })
    };
    let [float_parts, class_parts] = [Kind::Float, Kind::Classes]
        .map(|kind| args(kind).map(|arg| part(&arg.ty)).collect::<Vec<_>>());
    let result_parts = function.results.iter().map(part);
    let (length, bind) = (step.length.tokens(), model.bind_sizes());
    let batch =
        batch(model, &function.args, &step.length).map_or(quote!(None), |at| quote!(Some(#at)));
    let (at, past) = (Index::from(at), Index::from(model.sizes().len()));
    quote! {
        impl #declared __private::Stepwise<#at, #floats, #classes, #results> for #ty #given {
            const LENGTH: usize = #length;
            const HELD: __private::Held = #path::#value.held();
            const STEP: &'static str = #called;
            const BATCH: __private::Option<usize> = #batch;
            const PAST: usize = #past;
            // Whatever the run-time sizes are: index 0 is there for the smallest.
            const BOUNDS: [usize; #classes] = Self.bounds([1; 4]);
            fn parts(n: __private::Sizes) -> (
                [__private::StepPart; #floats], [__private::StepPart; #classes],
                [__private::StepPart; #results],
            ) {
                #bind
                ([#(#float_parts),*], [#(#class_parts),*], [#(#result_parts),*])
            }
            fn cache_floats(n: __private::Sizes) -> usize {
                #path::#value.cache(n)
            }
            fn step<Kernels__: __private::Kernels>(
                k: &mut Kernels__, given: __private::Infer<#floats, #classes, #results>,
            ) {
                #path::#value.infer(k, given);
            }
        }
    }
}

/// The number of the run-time size that says how many sequences there are.
pub fn batch(model: &Model, args: &[crate::declared::Arg], length: &Dim) -> Option<usize> {
    let lead = args.iter().find(|arg| axis_of(&arg.ty, length) == Some(1))?.ty.dims()[0].clone();
    let name = lead.as_run()?;
    model.sizes().iter().position(|size| size == name)
}
