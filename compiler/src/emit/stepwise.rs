//! Functions that run step by step: the memory of the positions before, the pass over the next ones,
//! and the methods that users call.

use proc_macro2::TokenStream;
use quote::format_ident;

use super::body::{flat, input_number};
use super::boundary::{View, at, flat_indices, indices, ty, view_of};
use super::calls::{Half, pass};
use super::chains::Chains;
use super::function::layout;
use super::prepared::Values;
use super::{Function, Model, StepForm, hidden};
use crate::declared::Interface;
use crate::dim::{Dim, product};
use crate::graph::step::{Held, axis_of, rows_of};
use crate::graph::{Kind, Source, Ty};
use crate::hygiene::quote;
use crate::names::plain;
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
        callees.filter(|callee| callee.steps)
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
fn batch(model: &Model, args: &[crate::declared::Arg], length: &Dim) -> Option<usize> {
    let lead = args.iter().find(|arg| axis_of(&arg.ty, length) == Some(1))?.ty.dims()[0].clone();
    let name = lead.as_run()?;
    model.sizes().iter().position(|size| size == name)
}

/// `forward_cache`, `forward_step` and `forward_step_check`.
pub fn methods(model: &Model) -> TokenStream {
    let methods = model.interfaces.iter().enumerate();
    methods.filter_map(|(at, f)| Some(method(model, at, f, f.step.as_ref()?))).collect()
}

fn method(model: &Model, at_: usize, interface: &Interface, length: &Dim) -> TokenStream {
    let name = &interface.name;
    let [step, cache, check] =
        ["step", "cache", "step_check"].map(|suffix| format_ident!("{name}_{suffix}"));
    let generics = model.generic_names();
    let types = |ty: &Ty| rows_of(ty, length);
    let args = interface.args.iter().map(|arg| {
        let (name, shape) = (&arg.name, types(&arg.ty).shape);
        let view = view_of(&shape, &generics);
        match arg.ty.kind {
            Kind::Classes => {
                let ty = indices(&shape, &view, &quote!(impl ::gradiron::ClassIndex));
                quote!(#name: #ty)
            }
            Kind::Unknown => quote!(#name: impl Sized),
            _ => {
                let ty = at(ty(&shape, &view, &quote!()), name.span());
                quote!(#name: #ty)
            }
        }
    });
    let results: Vec<_> = interface
        .results
        .iter()
        .map(|result| {
            let shape = types(result).shape;
            ty(&shape, &view_of(&shape, &generics), &quote!('w))
        })
        .collect();
    let result = match results.as_slice() {
        [one] => one.clone(),
        _ => quote!((#(#results),*)),
    };
    let batch = batch(model, &interface.args, length);
    let (size, given) = match batch {
        Some(_) => (quote!(, sequences: usize), quote!(sequences)),
        None => (quote!(), quote!(1)),
    };
    let (body, fill, difference) = match &model.functions {
        Some(functions) => (
            body(model, at_, &functions[at_], length),
            quote!(ws.cache::<#at_, _, _, _>(#given)),
            quote!(::gradiron::__rt::step::check_steps::<Self, _, _, #at_, _, _, _>(ws, &self.params, seed)),
        ),
        None => {
            let never = quote!(::core::unreachable!("this program does not compile"));
            (never.clone(), never.clone(), never)
        }
    };
    let (vis, device) = (&interface.vis, model.device());
    let step_doc = format!(
        "`{name}` on the next positions of its sequences, given those before, which `cache` holds. \
         Takes and gives a row for each new position, those of one sequence behind another's."
    );
    let cache_doc = format!(
        "Memory for what `{step}` keeps of up to {length} positions, or of any number where these are \
         states alone, on the device of `ws`."
    );
    let check_doc = format!(
        "Runs `{name}` on sequences drawn from `seed`, as a whole and in steps, and gives the \
         largest difference."
    );
    quote! {
        #[doc = #cache_doc]
        ///
        /// # Errors
        /// When the workspace was made for fewer sequences, or memory does not suffice.
        #vis fn #cache<#device: ::gradiron::device::Device>(
            ws: &::gradiron::Workspace<Self, #device, impl ::gradiron::Purpose> #size
        ) -> ::core::result::Result<::gradiron::Cache<Self, #at_, #device>, ::gradiron::WorkspaceError> {
            #fill
        }

        #[doc = #step_doc]
        ///
        /// # Errors
        /// When the cache has no room, an input does not fit, or the parameters have changed since
        /// the cache was empty. The cache stays as it was.
        #[allow(unused_variables, unused_parens, clippy::all)]
        #vis fn #step<'w, #device: ::gradiron::device::Device>(
            &self, ws: &'w mut ::gradiron::Workspace<Self, #device, impl ::gradiron::Purpose>,
            cache: &mut ::gradiron::Cache<Self, #at_, #device>, #(#args),*
        ) -> ::core::result::Result<#result, ::gradiron::InputError> {
            #body
        }

        #[doc = #check_doc]
        ///
        /// # Errors
        /// When the device has no memory for the cache.
        #vis fn #check(
            &self,
            ws: &mut ::gradiron::Workspace<
                Self, impl ::gradiron::device::Device, impl ::gradiron::Purpose,
            >,
            seed: ::gradiron::Seed,
        ) -> ::core::result::Result<::gradiron::StepCheck, ::gradiron::WorkspaceError> {
            #difference
        }
    }
}

fn body(model: &Model, at: usize, function: &Function, length: &Dim) -> TokenStream {
    let generics = model.generic_names();
    let seen = |ty: &Ty| {
        let rows = rows_of(ty, length);
        let view = view_of(&rows.shape, &generics);
        (rows, view)
    };
    let first = function.args.iter().find(|arg| axis_of(&arg.ty, length).is_some());
    let first = first.expect("the step was refused else");
    let (name, text) = (&first.name, plain(&first.name.to_string()).to_string());
    let (rows, first_form) = seen(&first.ty);
    let row = match first_form {
        View::Flat => product(&rows.dims()[1..]).tokens(),
        _ => quote!(1),
    };
    let bind = model.bind_step_sizes();
    let step = function.step.as_ref().expect("asked for with one");
    let given = |i: usize| step.graph.ty(step.graph.args[i]).clone();
    let checks = function.args.iter().enumerate().map(|(i, arg)| {
        let (name, ty) = (&arg.name, given(i));
        let text = plain(&name.to_string()).to_string();
        let (rows, view) = seen(&arg.ty);
        let len = match (view, axis_of(&arg.ty, length)) {
            (View::Number | View::Array, _) => return quote!(),
            (View::Flat, _) => ty.shape.len(),
            (View::Batch, Some(axis)) => product(&ty.dims()[..=axis]),
            (View::Batch, None) => rows.dims()[0].clone(),
        };
        let len = len.tokens();
        quote!(ws.exact(#text, #name.len(), #len)?;)
    });
    let floats: Vec<_> =
        function.args.iter().enumerate().filter(|(_, arg)| arg.ty.kind == Kind::Float).collect();
    let inputs =
        floats.iter().map(|(_, arg)| flat(&arg.name, &rows_of(&arg.ty, length), &generics));
    let args = floats.iter().enumerate().map(|(k, (i, _))| {
        let (k, len) = (input_number(k), given(*i).shape.len().tokens());
        quote!(::gradiron::__rt::device::Buf::new(::gradiron::__rt::device::Region::Input(#k), 0, #len))
    });
    let classes = function.args.iter().filter(|arg| arg.ty.kind == Kind::Classes);
    let [bounds, lengths] = ["bounds", "lengths"].map(|item| hidden(&function.name, item));
    let classes = classes.enumerate().map(|(c, arg)| {
        let (name, text) = (&arg.name, plain(&arg.name.to_string()).to_string());
        let (rows, view) = seen(&arg.ty);
        let indices = flat_indices(name, &rows.shape, &view);
        let row = rows.shape.0.iter().skip(1).map(Dim::tokens);
        let bound = quote!((Self::#bounds(n)[#c], Self::#lengths[#c]));
        quote!(ws.classes(&mut index_at, #text, #indices, &[#(#row),*], #bound)?)
    });
    let lens =
        step.graph.outputs.iter().map(|(_, value)| step.graph.ty(*value).shape.len().tokens());
    let reads = function.results.iter().enumerate().map(|(r, ty)| match seen(ty).1 {
        View::Flat => quote!(ws.read(results[#r])?),
        _ => quote!(::gradiron::__rt::view::batch(ws.read(results[#r])?)),
    });
    quote! {
        let n = ws.step_sizes(cache, &self.params, #text, (#name.len(), #row))?;
        #bind
        #(#checks)*
        let mut index_at = 0;
        let classes = [#(#classes),*];
        let inputs: &[&[f32]] = &[#(#inputs),*];
        let args = [#(#args),*];
        let mut places = ::gradiron::__rt::arena::Places::default();
        let results = [#(places.take(#lens)),*];
        let block = places.rest(ws.floats(#at, ::gradiron::__rt::Pass::Step));
        let call = ::gradiron::__rt::function::Call { n, args, classes, results, block };
        ws.step::<#at, _, _, _>(&self.params, cache, inputs, call)?;
        let ws = &*ws;
        Ok((#(#reads),*))
    }
}
