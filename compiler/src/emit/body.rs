//! The bodies of the methods that users call: inputs checked and handed to the passes.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream};

use super::api::{Method, Receiver};
use super::boundary::{View, flat_indices, view_of};
use super::{Function, Model, hidden};
use crate::dim::Dim;
use crate::graph::{Kind, Ty};
use crate::hygiene::quote;
use crate::names::plain;
use crate::ops::variant;

pub fn body(
    model: &Model,
    f: usize,
    function: &Function,
    method: Method,
    receiver: Receiver,
    seeds: Option<&[Ident]>,
) -> TokenStream {
    let generics = model.generic_names();
    let sizes = sizes(model, function, &generics);
    let is_float = |arg: &&crate::declared::Arg| arg.ty.kind == Kind::Float;
    let floats: Vec<_> = function.args.iter().filter(is_float).collect();
    let mut inputs: Vec<TokenStream> =
        floats.iter().map(|arg| flat(&arg.name, &arg.ty, &generics)).collect();
    let lens = floats.iter().map(|arg| arg.ty.shape.len().tokens());
    let args = lens.enumerate().map(|(i, len)| {
        let i = input_number(i);
        quote!(::gradiron::__rt::device::Buf::new(::gradiron::__rt::device::Region::Input(#i), 0, #len))
    });
    let args: Vec<_> = args.collect();
    let result_lens: Vec<_> = function.results.iter().map(|ty| ty.shape.len().tokens()).collect();
    let (mut d_results, mut seed_checks) = (Vec::new(), TokenStream::new());
    for (r, len) in result_lens.iter().enumerate() {
        d_results.push(match seeds {
            Some(names) => {
                let (i, name) = (input_number(inputs.len()), &names[r]);
                let ty = &function.results[r];
                if view_of(&ty.shape, &generics) != View::Number {
                    let text = plain(&name.to_string()).to_string();
                    let value = flat(name, ty, &generics);
                    seed_checks.extend(quote!(ws.exact(#text, #value.len(), #len)?;));
                }
                inputs.push(flat(name, ty, &generics));
                quote!(::gradiron::__rt::device::Buf::new(::gradiron::__rt::device::Region::Input(#i), 0, #len))
            }
            None => quote!(places.take(#len)),
        });
    }
    let classes = classes(model, function, &generics);
    let planned = if method == Method::Train { Method::Grad } else { method };
    let method_name = variant(&planned);
    let d_args = floats.iter().map(|arg| {
        let len = arg.ty.shape.len().tokens();
        match method {
            Method::GradInputs => quote!(places.take(#len)),
            _ => quote!(places.take(0)),
        }
    });
    let gradients = (method != Method::Infer).then(|| {
        quote! {
            let d_results = [#(#d_results),*];
            let d_args = [#(#d_args),*];
        }
    });
    let run = match method {
        Method::Infer => quote!(ws.infer::<#f, _, _, _>(host, inputs, call)?;),
        Method::Grad | Method::GradInputs | Method::Train => {
            let want_inputs = method == Method::GradInputs;
            let call = match method {
                Method::Train => {
                    quote!(ws.train::<#f, _, _, _>(self, optimizer, inputs, call, gradients)?)
                }
                _ => quote!(ws.grad::<#f, _, _, _>(host, inputs, call, gradients)?),
            };
            quote! {
                let gradients = ::gradiron::__rt::function::Gradients {
                    d_results,
                    d_args,
                    want_inputs: #want_inputs,
                };
                let loss = #call;
            }
        }
    };
    let host = match receiver {
        // The step changes them.
        _ if method == Method::Train => quote!(),
        Receiver::SelfRef => quote!(let host = Some(&self.params);),
        Receiver::Params => quote!(let host = Some(params);),
        Receiver::Free => quote!(let host = None;),
    };
    let read = |buf: TokenStream, ty: &Ty| match view_of(&ty.shape, &generics) {
        View::Number => quote!(ws.read(#buf)?[0]),
        View::Array => quote!(::gradiron::__rt::view::array(ws.read(#buf)?)),
        View::Batch => quote!(::gradiron::__rt::view::batch(ws.read(#buf)?)),
        View::Flat => quote!(ws.read(#buf)?),
    };
    let tuple = |values: Vec<TokenStream>| match values.as_slice() {
        [one] => one.clone(),
        _ => quote!((#(#values),*)),
    };
    let values = tuple(
        function.results.iter().enumerate().map(|(r, ty)| read(quote!(results[#r]), ty)).collect(),
    );
    let outcome = match method {
        Method::GradInputs => {
            let gradients = tuple(
                floats.iter().enumerate().map(|(i, a)| read(quote!(d_args[#i]), &a.ty)).collect(),
            );
            quote!(Ok((#values, #gradients)))
        }
        Method::Train => quote!(Ok(loss)),
        _ => quote!(Ok(#values)),
    };
    quote! {
        #sizes
        #seed_checks
        #classes
        #host
        let inputs: &[&[f32]] = &[#(#inputs),*];
        let args = [#(#args),*];
        let mut places = ::gradiron::__rt::arena::Places::default();
        let results = [#(places.take(#result_lens)),*];
        #gradients
        let block = places.rest(ws.floats(#f, ::gradiron::__rt::Pass::#method_name));
        let call = ::gradiron::__rt::function::Call { n, args, classes, results, block };
        #run
        let ws = &*ws;
        #outcome
    }
}

/// The floats of an argument.
pub fn flat(name: &Ident, ty: &Ty, generics: &HashSet<String>) -> TokenStream {
    match view_of(&ty.shape, generics) {
        View::Number => quote!(::core::slice::from_ref(&#name)),
        View::Array => quote!(::gradiron::__rt::view::flat(::core::slice::from_ref(#name))),
        View::Batch => quote!(::gradiron::__rt::view::flat(#name)),
        View::Flat => quote!(#name),
    }
}

/// The run-time sizes, from the arguments and checked against the workspace.
fn sizes(model: &Model, function: &Function, generics: &HashSet<String>) -> TokenStream {
    let names = model.sizes();
    let mut known: HashSet<String> = HashSet::new();
    let mut checks = TokenStream::new();
    let run_time = |arg: &crate::declared::Arg| {
        arg.ty.dims().first().and_then(Dim::as_run).map(str::to_string)
    };
    // Those that say a size by themselves first: `2 * batch` is known when `batch` is.
    let (bound, others): (Vec<_>, Vec<_>) =
        function.args.iter().partition(|arg| run_time(arg).is_some());
    for arg in bound.into_iter().chain(others) {
        let (name, text) = (&arg.name, plain(&arg.name.to_string()).to_string());
        let view = view_of(&arg.ty.shape, generics);
        let is_flat = view == View::Flat;
        if !is_flat && view != View::Batch {
            continue;
        }
        let Some(size) = run_time(arg) else {
            let len = arg.ty.shape.len().tokens();
            checks.extend(quote!(ws.exact(#text, #name.len(), #len)?;));
            continue;
        };
        let at = names.iter().position(|n| *n == size).expect("sizes lists all names");
        let variable = crate::dim::run_ident(&size);
        let sample = match is_flat {
            true => crate::dim::product(&arg.ty.dims()[1..]),
            false => Dim::lit(1),
        };
        let sample = sample.tokens();
        checks.extend(match known.insert(size) {
            true => quote!(let #variable = ws.size(#at, #text, #name.len(), #sample)?;),
            false => quote!(ws.same(#at, #text, #name.len(), #sample, #variable)?;),
        });
    }
    let bound = names.iter().map(|name| {
        let variable = crate::dim::run_ident(name);
        if known.contains(name.as_str()) { quote!(#variable) } else { quote!(1) }
    });
    let ones = (names.len()..4).map(|_| quote!(1));
    quote! {
        #checks
        let n: ::gradiron::__rt::arena::Sizes = [#(#bound,)* #(#ones),*];
    }
}

/// The class indices, checked and copied to where kernels read them.
fn classes(model: &Model, function: &Function, generics: &HashSet<String>) -> TokenStream {
    let (_, owner) = model.generics();
    let [bounds, lengths] = ["bounds", "lengths"].map(|item| hidden(&function.name, item));
    let copies = class_args(function).enumerate().map(|(c, (_, arg))| {
        let (name, shape) = (&arg.name, &arg.ty.shape);
        let text = plain(&name.to_string()).to_string();
        let indices = flat_indices(name, shape, &view_of(shape, generics));
        let row = shape.0.iter().skip(1).map(Dim::tokens);
        let bound = quote!((<#owner>::#bounds(n)[#c], <#owner>::#lengths[#c]));
        quote!(ws.classes(&mut index_at, #text, #indices, &[#(#row),*], #bound)?)
    });
    quote! {
        let mut index_at = 0;
        let classes = [#(#copies),*];
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
            (quote!(::gradiron::__rt::arena::min(&[#(#below),*])), quote!(false #(|| #lengths)*))
        })
        .unzip();
    let [name, are_lengths] = ["bounds", "lengths"].map(|item| hidden(&function.name, item));
    let (count, bind) = (bounds.len(), model.bind_sizes());
    let lengths = (count > 0).then(|| {
        quote! {
            #[doc(hidden)]
            pub const #are_lengths: [bool; #count] = [#(#lengths),*];
        }
    });
    quote! {
        #[doc(hidden)]
        pub const fn #name(n: ::gradiron::__rt::arena::Sizes) -> [usize; #count] {
            #bind
            [#(#bounds),*]
        }
        #lengths
    }
}

fn class_args(function: &Function) -> impl Iterator<Item = (usize, &crate::declared::Arg)> {
    function.args.iter().enumerate().filter(|(_, arg)| arg.ty.kind == Kind::Classes)
}

/// The number of an input; a function has at most 64, and as many results that gradients are given
/// of.
pub fn input_number(at: usize) -> u8 {
    u8::try_from(at).expect("inputs are counted where a model is read")
}
