//! The methods by which users run a function step by step.

use proc_macro2::TokenStream;
use quote::format_ident;
use syn::Index;

use super::body::flat;
use super::boundary::{View, at, flat_indices, indices, ty, view_of};
use super::stepwise::batch;
use super::{Function, Model};
use crate::declared::Interface;
use crate::dim::{Dim, product};
use crate::graph::callee::function_value;
use crate::graph::step::{axis_of, rows_of};
use crate::graph::{Kind, Ty};
use crate::hygiene::quote;
use crate::names::plain;

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
                let ty = indices(&shape, &view, &quote!(impl __private::ClassIndex));
                quote!(#name: #ty)
            }
            Kind::Unknown => quote!(#name: impl ::core::marker::Sized),
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
    let function = function_value(name);
    let (body, fill, difference) = match &model.functions {
        Some(functions) => (
            body(model, &functions[at_], length),
            quote!(ws.cache(Self::#function, #given)),
            quote!(__private::check_steps(Self::#function, ws, &self.params, seed)),
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
        "Memory for what `{step}` keeps of up to {length} positions, or of any number where these \
         are states alone, on the device of `ws`."
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
        #vis fn #cache<#device: __private::Device>(
            ws: &__private::Workspace<Self, #device, impl __private::Purpose> #size
        ) -> __private::Result<__private::Cache<Self, #at_, #device>, __private::WorkspaceError> {
            #fill
        }

        #[doc = #step_doc]
        ///
        /// # Errors
        /// When the cache has no room, an input does not fit, or the parameters have changed since
        /// the cache was empty. The cache stays as it was.
        #vis fn #step<'w, #device: __private::Device>(
            &self, ws: &'w mut __private::Workspace<Self, #device, impl __private::Purpose>,
            cache: &mut __private::Cache<Self, #at_, #device>, #(#args),*
        ) -> __private::Result<#result, __private::InputError> {
            #body
        }

        #[doc = #check_doc]
        ///
        /// # Errors
        /// When the device has no memory for the cache.
        #vis fn #check(
            &self,
            ws: &mut __private::Workspace<
                Self, impl __private::Device, impl __private::Purpose,
            >,
            seed: __private::Seed,
        ) -> __private::Result<__private::StepCheck, __private::WorkspaceError> {
            #difference
        }
    }
}

fn body(model: &Model, function: &Function, length: &Dim) -> TokenStream {
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
            // Functions with steps have one run-time size, the first.
            (View::Number | View::Array | View::Tensor, _) => return quote!(),
            (View::Flat, _) => ty.shape.len(),
            (View::Batch, Some(axis)) => product(&ty.dims()[..=axis]),
            (View::Batch, None) => rows.dims()[0].clone(),
        };
        let len = len.tokens();
        quote!(ws.exact(#text, #name.len(), #len)?;)
    });
    let floats: Vec<_> =
        function.args.iter().enumerate().filter(|(_, arg)| arg.ty.kind == Kind::Float).collect();
    let inputs = floats.iter().map(|(_, arg)| {
        let (name, ty) = (&arg.name, rows_of(&arg.ty, length));
        match view_of(&ty.shape, &generics) {
            // It is given by value.
            View::Number => quote!(::core::slice::from_ref(&#name)),
            _ => flat(name, &ty, &generics),
        }
    });
    let classes = function.args.iter().filter(|arg| arg.ty.kind == Kind::Classes);
    let value = function_value(&function.name);
    let classes = classes.enumerate().map(|(c, arg)| {
        let (name, text) = (&arg.name, plain(&arg.name.to_string()).to_string());
        let (rows, view) = seen(&arg.ty);
        let indices = flat_indices(name, &rows.shape, &view);
        let row = rows.shape.0.iter().skip(1).map(Dim::tokens);
        let bound = quote!((Self::#value.bounds(n)[#c], Self::#value.lengths()[#c]));
        quote!(ws.classes(&mut index_at, #text, #indices, &[#(#row),*], #bound)?)
    });
    let reads = function.results.iter().enumerate().map(|(r, ty)| {
        let method = if seen(ty).1 == View::Flat { quote!(flat) } else { quote!(batch) };
        let r = Index::from(r);
        quote!(ran.#method(ran.results[#r])?)
    });
    quote! {
        let n = ws.step_sizes(Self::#value, cache, &self.params, #text, (#name.len(), #row))?;
        #bind
        #(#checks)*
        let mut index_at = 0;
        let classes = [#(#classes),*];
        let inputs = __private::Inputs { n, floats: [#(#inputs),*], classes };
        let ran = ws.step(Self::#value, &self.params, cache, inputs)?;
        Ok((#(#reads),*))
    }
}
