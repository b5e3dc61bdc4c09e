//! Functions that run step by step: the memory of the positions before, and the pass over the next
//! ones.

use proc_macro2::TokenStream;

use super::calls::{Half, pass};
use super::chains::Chains;
use super::function::layout;
use super::prepared::Values;
use super::{Function, Model, StepForm, hidden};
use crate::declared::Interface;
use crate::dim::{Dim, product};
use crate::graph::step::{Held, axis_of};
use crate::graph::{Kind, Source, Ty};
use crate::hygiene::quote;
use crate::passes::Form;

/// What calls of every function may ask for.
pub fn hidden_items(model: &Model, chains: &Chains, prepared: &Values) -> TokenStream {
    let items = model.interfaces.iter().enumerate().map(|(at, interface)| {
        let function = model.functions.as_ref().map(|functions| &functions[at]);
        match function.and_then(|function| Some((function, function.step.as_ref()?))) {
            Some((function, step)) => items(model, function, step, chains, prepared),
            None => stub(interface),
        }
    });
    items.collect()
}

/// The items of a function that has no step, so that a call of it is reported once.
fn stub(interface: &Interface) -> TokenStream {
    let items = [
        "LENGTH",
        "AXES",
        "HELD",
        "step_bind",
        "cache",
        "step_scratch",
        "STEP_TABLE",
        "step_offsets",
        "step",
    ];
    let items = items.map(|suffix| hidden(&interface.name, suffix));
    quote!(::gradiron::__rt::no_step! { #(#items)* })
}

fn items(
    model: &Model,
    function: &Function,
    step: &StepForm,
    chains: &Chains,
    prepared: &Values,
) -> TokenStream {
    let item = |suffix| hidden(&function.name, suffix);
    let (bind, whole_bind, sizes) = (item("step_bind"), item("bind"), item("step_sizes"));
    let [cache, cache_at, scratch, step_layout, known] =
        ["cache", "cache_at", "step_scratch", "step_layout", "LENGTH"].map(item);
    let layout = layout(model, function, Form::Step, ["step_layout", "STEP_TABLE", "step_offsets"]);
    let pass = pass(model, function, chains, prepared, Half::STEP);
    let (past, length) = (model.sizes().len(), step.length.tokens());
    let new = past + 1;
    let n = quote!(::gradiron::__rt::arena::Sizes);
    let ends = caches(step).into_iter().enumerate().map(|(k, len)| {
        let (next, len) = (k + 1, len.saturating_tokens());
        quote!(at[#next] = ::gradiron::__rt::plus(at[#k], ::gradiron::__rt::arena::padded(#len));)
    });
    let ends: Vec<_> = ends.collect();
    let count = ends.len();
    let nested = || {
        let callees = step.graph.nodes.iter().filter_map(|node| node.op.callee());
        callees.filter(|callee| callee.is_step)
    };
    let held_in_nested = nested().map(|callee| callee.item("HELD"));
    let nested = nested().map(|callee| callee.stated(&["cache"]));
    let (held, Held { positions, states }) = (item("HELD"), step.held);
    let args = function.args.iter().map(|arg| &arg.ty);
    let of_positions =
        args.chain(&function.results).map(|ty| axis_number(axis_of(ty, &step.length)));
    let axes = item("AXES");
    let bind_sizes = model.bind_step_sizes();
    quote! {
        #[doc(hidden)]
        pub const #known: Option<usize> = Some(#length);
        /// The axis of the positions of each argument, then of each result.
        #[doc(hidden)]
        pub const #axes: &'static [usize] = &[#(#of_positions),*];
        /// What a step needs of the positions before.
        #[doc(hidden)]
        pub const #held: ::gradiron::__rt::step::Held =
            ::gradiron::__rt::step::Held { positions: #positions, states: #states }
                #(.and(#held_in_nested))*;
        #[doc(hidden)]
        pub const fn #bind<const Args: usize>(
            leads: [usize; Args], past: usize, new: usize,
        ) -> #n {
            let mut n = Self::#whole_bind(leads);
            n[#past] = past;
            n[#new] = new;
            n
        }
        /// The largest step at these sizes.
        #[doc(hidden)]
        pub const fn #sizes(mut n: #n) -> #n {
            n[#past] = 0;
            n[#new] = #length;
            n
        }
        /// Where the caches start, and the length of all.
        #[doc(hidden)]
        pub const fn #cache_at(n: #n) -> [usize; #count + 1] {
            #bind_sizes
            #(#nested)*
            let mut at = [0; #count + 1];
            #(#ends)*
            at
        }
        #[doc(hidden)]
        pub const fn #cache(n: #n) -> usize {
            Self::#cache_at(n)[#count]
        }
        #[doc(hidden)]
        pub const fn #scratch(n: #n, target: ::gradiron::__rt::device::Target) -> usize {
            Self::#step_layout(n, target).saved
        }
        #layout
        #pass
    }
}

/// The axis of the positions, or that there is none, as `check::steps` compares it.
pub fn axis_number(axis: Option<usize>) -> TokenStream {
    match axis {
        Some(axis) => quote!(#axis),
        None => quote!(::gradiron::__rt::check::NO_AXIS),
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

/// The offsets of the largest step, for the plan of a workspace.
pub fn offsets(function: &Function) -> TokenStream {
    let [offsets, sizes] = ["step_offsets", "step_sizes"].map(|s| hidden(&function.name, s));
    match function.step {
        Some(_) => quote!(|out| Self::#offsets(Self::#sizes(n), target, out)),
        None => quote!(|_| ()),
    }
}

/// The floats of the arena that the largest step takes.
pub fn floats(function: &Function) -> TokenStream {
    let [layout, sizes] = ["step_layout", "step_sizes"].map(|s| hidden(&function.name, s));
    match function.step {
        Some(_) => quote! {
            ::gradiron::__rt::plus(results, Self::#layout(Self::#sizes(n), target).saved)
        },
        None => quote!(0),
    }
}

/// The step as workspaces run it.
pub fn implementation(model: &Model, at: usize, function: &Function) -> TokenStream {
    let Some(step) = &function.step else { return TokenStream::new() };
    let (impl_generics, self_ty) = model.generics();
    let [pass, cache, held] =
        ["step", "cache", "HELD"].map(|suffix| hidden(&function.name, suffix));
    let called = format!("{}_step", model.called(&function.name));
    let args = |kind: Kind| function.args.iter().filter(move |arg| arg.ty.kind == kind);
    let [floats, classes] = [Kind::Float, Kind::Classes].map(|kind| args(kind).count());
    let results = function.results.len();
    let part = |ty: &Ty| {
        let (rows, row) = match axis_of(ty, &step.length) {
            Some(axis) => (true, product(&ty.dims()[axis + 1..])),
            None => (false, ty.shape.len()),
        };
        let (len, row) = (ty.shape.len().tokens(), row.tokens());
        quote!(::gradiron::__rt::step::Part { len: #len, row: if #rows { Some(#row) } else { None } })
    };
    let [float_parts, class_parts] = [Kind::Float, Kind::Classes]
        .map(|kind| args(kind).map(|arg| part(&arg.ty)).collect::<Vec<_>>());
    let result_parts = function.results.iter().map(part);
    let bounds = hidden(&function.name, "bounds");
    let (length, bind) = (step.length.tokens(), model.bind_sizes());
    let batch =
        batch(model, &function.args, &step.length).map_or(quote!(None), |at| quote!(Some(#at)));
    let past = model.sizes().len();
    quote! {
        #[allow(unused_variables, clippy::all)]
        #[automatically_derived]
        impl #impl_generics ::gradiron::__rt::step::Stepwise<#at, #floats, #classes, #results>
            for #self_ty
        {
            const LENGTH: usize = #length;
            const HELD: ::gradiron::__rt::step::Held = Self::#held;
            const STEP: &'static str = #called;
            const BATCH: Option<usize> = #batch;
            const PAST: usize = #past;
            // Whatever the run-time sizes are: index 0 is there for the smallest.
            const BOUNDS: [usize; #classes] = Self::#bounds([1; 4]);
            fn parts(n: ::gradiron::__rt::arena::Sizes) -> (
                [::gradiron::__rt::step::Part; #floats], [::gradiron::__rt::step::Part; #classes],
                [::gradiron::__rt::step::Part; #results],
            ) {
                #bind
                ([#(#float_parts),*], [#(#class_parts),*], [#(#result_parts),*])
            }
            fn cache_floats(n: ::gradiron::__rt::arena::Sizes) -> usize {
                Self::#cache(n)
            }
            fn step<Kernels__: ::gradiron::__rt::device::Kernels>(
                k: &mut Kernels__, offsets: &[usize],
                [params, state, prepared, cache]: [::gradiron::__rt::device::Buf; 4],
                call: ::gradiron::__rt::function::Call<#floats, #classes, #results>,
            ) {
                Self::#pass(
                    k, call.n, offsets, params, state, call.args, call.classes, call.results,
                    cache, prepared, call.block,
                );
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
