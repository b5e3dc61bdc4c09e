//! The bodies of the methods that users call: inputs checked and handed to a run.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream};
use quote::format_ident;
use syn::Index;

use super::api::{Method, Receiver};
use super::boundary::{View, arg_ty, flat_indices, indices, view_of};
use super::{Function, Model, needs};
use crate::declared::Arg;
use crate::dim::Dim;
use crate::graph::callee::function_value;
use crate::graph::{Kind, Ty};
use crate::hygiene::quote;
use crate::names::plain;

/// The body of a method; `seeds` are the gradients of the results, where they are arguments.
pub fn body(
    model: &Model,
    function: &Function,
    method: Method,
    receiver: Receiver,
    seeds: Option<&[Ident]>,
) -> TokenStream {
    let generics = model.generic_names();
    let (owner, value) = (model.path(), function_value(&function.name));
    let of = quote!(#owner::#value);
    let args = function.args.iter().map(|arg| {
        let name = &arg.name;
        // A number is given by value, and read in place like the others.
        let by_value = match view_of(&arg.ty.shape, &generics) {
            View::Number => arg.ty.kind == Kind::Float,
            View::Tensor => receiver == Receiver::Params,
            _ => false,
        };
        if by_value { quote!(&#name) } else { quote!(#name) }
    });
    let params = match receiver {
        Receiver::SelfRef => quote!(Some(&self.params)),
        Receiver::Params => quote!(Some(params)),
        Receiver::Free => quote!(None),
    };
    let floats: Vec<_> = function.args.iter().filter(|arg| arg.ty.kind == Kind::Float).collect();
    let (seed_checks, given) = match seeds {
        Some(seeds) => {
            (seed_checks(model, function, seeds), with_seeds(function, seeds, &generics))
        }
        None => (quote!(), quote!(inputs.floats)),
    };
    let want_inputs = method == Method::GradInputs;
    // Sizes are asked for where results are tensors that know theirs, and by the checks of seeds.
    let is_sized = |ty: &Ty| view_of(&ty.shape, &generics) == View::Tensor;
    let args_come_back = want_inputs && floats.iter().any(|arg| is_sized(&arg.ty));
    let are_sized = args_come_back || function.results.iter().any(is_sized);
    let bind = ((are_sized || !seed_checks.is_empty()) && !model.sizes().is_empty()).then(|| {
        let bind = model.bind_sizes();
        quote!(let n = inputs.n; #bind)
    });
    let run = match method {
        Method::Train if seeds.is_some() => {
            quote!(ws.train_along(#of, self, optimizer, inputs, &#given)?)
        }
        Method::Train => quote!(ws.train(#of, self, optimizer, inputs)?),
        Method::Infer => quote!(ws.infer(#of, #params, inputs)?),
        _ => quote!(ws.grad(#of, #params, inputs, &#given, #want_inputs)?),
    };
    let read = |buf: TokenStream, ty: &Ty| {
        let method = match view_of(&ty.shape, &generics) {
            View::Number => quote!(number),
            View::Array => quote!(array),
            View::Batch => quote!(batch),
            View::Flat => quote!(flat),
            View::Tensor => {
                let sizes = ty.dims().iter().map(Dim::tokens);
                return quote!(ran.tensor(ran.#buf, [#(#sizes),*])?);
            }
        };
        quote!(ran.#method(ran.#buf)?)
    };
    let read_all = |from: &str, types: &mut dyn Iterator<Item = &Ty>| {
        let from = format_ident!("{from}");
        let values = types.enumerate().map(|(i, ty)| {
            let i = Index::from(i);
            read(quote!(#from[#i]), ty)
        });
        tuple(values.collect())
    };
    if method == Method::Train {
        // The loss may be under way; what comes with it is waited for.
        let further = function.results.iter().enumerate().skip(1).map(|(i, ty)| {
            let i = Index::from(i);
            read(quote!(results[#i]), ty)
        });
        let values = tuple([quote!(loss)].into_iter().chain(further).collect());
        let ran = if function.results.len() == 1 { quote!(_) } else { quote!(ran) };
        return quote! {
            let inputs = #of.inputs(ws, #(#args),*)?;
            #bind
            let (loss, #ran) = #run;
            Ok(#values)
        };
    }
    let values = read_all("results", &mut function.results.iter());
    let outcome = match want_inputs {
        true => {
            let gradients = read_all("d_args", &mut floats.iter().map(|arg| &arg.ty));
            quote!(Ok((#values, #gradients)))
        }
        false => quote!(Ok(#values)),
    };
    quote! {
        let inputs = #of.inputs(ws, #(#args),*)?;
        #bind
        #seed_checks
        let ran = #run;
        #outcome
    }
}

fn tuple(values: Vec<TokenStream>) -> TokenStream {
    match values.as_slice() {
        [one] => one.clone(),
        _ => quote!((#(#values),*)),
    }
}

/// The lengths of the gradients of results.
fn seed_checks(model: &Model, function: &Function, seeds: &[Ident]) -> TokenStream {
    let generics = model.generic_names();
    let checks = seeds.iter().zip(&function.results).map(|(name, ty)| {
        if view_of(&ty.shape, &generics) == View::Number {
            return quote!();
        }
        let (text, len) = (plain(&name.to_string()).to_string(), ty.shape.len().tokens());
        if let Some(tensor) = as_tensor(name, ty, &generics, &quote!(&)) {
            let sizes = ty.dims().iter().map(Dim::tokens);
            return quote!(#tensor ws.sizes(#text, #name.sizes(), [#(#sizes),*])?;);
        }
        let value = flat(name, ty, &generics);
        quote!(ws.exact(#text, #value.len(), #len)?;)
    });
    checks.collect()
}

/// The float arguments and behind them the gradients of the results.
fn with_seeds(function: &Function, seeds: &[Ident], generics: &HashSet<String>) -> TokenStream {
    let floats = function.args.iter().filter(|arg| arg.ty.kind == Kind::Float).enumerate();
    let floats = floats.map(|(i, _)| {
        let i = Index::from(i);
        quote!(inputs.floats[#i])
    });
    let seeds =
        seeds.iter().zip(&function.results).map(|(name, ty)| match view_of(&ty.shape, generics) {
            View::Number => quote!(::core::slice::from_ref(&#name)),
            _ => flat(name, ty, generics),
        });
    quote!([#(#floats,)* #(#seeds),*])
}

/// The floats of an argument that is a reference.
pub fn flat(name: &Ident, ty: &Ty, generics: &HashSet<String>) -> TokenStream {
    match view_of(&ty.shape, generics) {
        View::Number => quote!(::core::slice::from_ref(#name)),
        View::Array => quote!(__private::flat(::core::slice::from_ref(#name))),
        View::Batch => quote!(__private::flat(#name)),
        View::Flat => quote!(#name),
        View::Tensor => quote!(#name.as_slice()),
    }
}

/// Reads what an argument is given as, where that is a tensor of its own sizes.
fn as_tensor(
    name: &Ident,
    ty: &Ty,
    generics: &HashSet<String>,
    of: &TokenStream,
) -> Option<TokenStream> {
    let is_tensor = view_of(&ty.shape, generics) == View::Tensor;
    is_tensor.then(|| quote!(let #name = __private::AsTensor::as_tensor(#of #name);))
}

/// The function that checks the arguments of all methods, finds the run-time sizes and copies class
/// indices to where kernels read them.
pub fn inputs(model: &Model, function: &Function) -> TokenStream {
    let generics = model.generic_names();
    let args = function.args.iter().map(|arg| {
        let (name, view) = (&arg.name, view_of(&arg.ty.shape, &generics));
        let ty = match (arg.ty.kind, &view) {
            (Kind::Classes, _) => {
                indices(&arg.ty.shape, &view, &quote!(impl __private::ClassIndex))
            }
            (_, View::Number) => quote!(&'i__ f32),
            _ => arg_ty(&arg.ty.shape, &view, &quote!('i__)),
        };
        quote!(#name: #ty)
    });
    let all = function.args.iter();
    let tensors = all.filter_map(|arg| as_tensor(&arg.name, &arg.ty, &generics, &quote!()));
    let sizes = sizes(model, function, &generics);
    let classes = classes(function, &generics);
    let floats: Vec<_> = function.args.iter().filter(|arg| arg.ty.kind == Kind::Float).collect();
    let (a, c) = (Index::from(floats.len()), Index::from(class_args(function).count()));
    let floats = floats.iter().map(|arg| flat(&arg.name, &arg.ty, &generics));
    let owner = model.generics().1;
    quote! {
        #[inline]
        fn inputs<'i__, Device__: __private::Device, P__>(
            self, ws: &mut __private::Workspace<#owner, Device__, P__>, #(#args),*
        ) -> __private::Result<__private::Inputs<'i__, #a, #c>, __private::InputError> {
            #(#tensors)*
            #sizes
            #classes
            Ok(__private::Inputs { n, floats: [#(#floats),*], classes })
        }
    }
}

/// The run-time sizes, from the arguments and checked against the workspace.
fn sizes(model: &Model, function: &Function, generics: &HashSet<String>) -> TokenStream {
    let names = model.sizes();
    let mut known: HashSet<String> = HashSet::new();
    let (mut checks, mut behind) = (TokenStream::new(), TokenStream::new());
    let at = |size: &str| {
        let at = names.iter().position(|name| name == size).expect("sizes lists all names");
        (Index::from(at), crate::dim::run_ident(size))
    };
    for arg in &function.args {
        let (name, text) = (&arg.name, plain(&arg.name.to_string()).to_string());
        match view_of(&arg.ty.shape, generics) {
            View::Number | View::Array => {}
            View::Tensor => {
                for (axis, size) in arg.ty.dims().iter().enumerate() {
                    let Some(size) = size.as_run() else { continue };
                    let ((at, variable), axis) = (at(size), Index::from(axis));
                    let found = quote!(#name.sizes()[#axis]);
                    checks.extend(match known.insert(size.to_string()) {
                        true => quote!(let #variable = ws.within(#at, #text, #found)?;),
                        false => quote!(ws.is_same(#at, #text, #found, #variable)?;),
                    });
                }
                // What is made of several, and what is fixed, where all names are known.
                let sizes = arg.ty.dims().iter().map(Dim::saturating_tokens);
                behind.extend(quote!(ws.sizes(#text, #name.sizes(), [#(#sizes),*])?;));
            }
            view @ (View::Batch | View::Flat) => {
                let Some(size) = arg.ty.dims().first().and_then(Dim::as_run) else {
                    let len = arg.ty.shape.len().saturating_tokens();
                    behind.extend(quote!(ws.exact(#text, #name.len(), #len)?;));
                    continue;
                };
                let (at, variable) = at(size);
                let sample = match view {
                    View::Flat => crate::dim::product(&arg.ty.dims()[1..]),
                    _ => Dim::lit(1),
                };
                let sample = sample.tokens();
                checks.extend(match known.insert(size.to_string()) {
                    true => quote!(let #variable = ws.size(#at, #text, #name.len(), #sample)?;),
                    false => quote!(ws.same(#at, #text, #name.len(), #sample, #variable)?;),
                });
            }
        }
    }
    let bound = names.iter().map(|name| {
        let variable = crate::dim::run_ident(name);
        if known.contains(name.as_str()) { quote!(#variable) } else { quote!(1) }
    });
    let ones = (names.len()..4).map(|_| quote!(1));
    let needs = needs::are_there(function).then(|| quote!(ws.met(n, self.unmet(n))?;));
    quote! {
        #checks
        #behind
        let n = [#(#bound,)* #(#ones),*];
        #needs
    }
}

/// The class indices, checked and copied to where kernels read them.
fn classes(function: &Function, generics: &HashSet<String>) -> TokenStream {
    let copies = class_args(function).enumerate().map(|(c, (_, arg))| {
        let (c, name, shape) = (Index::from(c), &arg.name, &arg.ty.shape);
        let text = plain(&name.to_string()).to_string();
        let indices = flat_indices(name, shape, &view_of(shape, generics));
        let row = shape.0.iter().skip(1).map(Dim::tokens);
        let bound = quote!((Self.bounds(n)[#c], Self.lengths()[#c]));
        quote!(ws.classes(&mut index_at, #text, #indices, &[#(#row),*], #bound)?)
    });
    let copies: Vec<_> = copies.collect();
    match copies.is_empty() {
        true => quote!(let classes = [];),
        false => quote! {
            let mut index_at = 0;
            let classes = [#(#copies),*];
        },
    }
}

/// What the class indices of each argument must stay below, for all that reads them (of scores
/// among the samples of a batch, their number), and whether they are lengths of sequences.
pub fn bounds(model: &Model, function: &Function) -> TokenStream {
    let graph = &function.infer.0;
    let (bounds, lengths): (Vec<_>, Vec<_>) = class_args(function)
        .map(|(a, _)| {
            let (mut below, mut lengths) = (Vec::new(), Vec::new());
            for node in &graph.nodes {
                let types: Vec<Ty> = node.inputs.iter().map(|v| graph.ty(*v).clone()).collect();
                for (at, v) in node.inputs.iter().enumerate() {
                    if graph.view_root(*v) == graph.args[a] {
                        below.extend(node.op.classes(&types, at));
                        lengths.extend(node.op.lengths(at));
                    }
                }
            }
            (quote!(__private::min(&[#(#below),*])), quote!(false #(|| #lengths)*))
        })
        .unzip();
    let (count, bind) = (Index::from(bounds.len()), model.bind_sizes());
    quote! {
        pub const fn bounds(self, n: __private::Sizes) -> [usize; #count] {
            #bind
            [#(#bounds),*]
        }
        pub const fn lengths(self) -> [bool; #count] {
            [#(#lengths),*]
        }
    }
}

fn class_args(function: &Function) -> impl Iterator<Item = (usize, &Arg)> {
    function.args.iter().enumerate().filter(|(_, arg)| arg.ty.kind == Kind::Classes)
}
