//! The hidden items of a function: sizes and layouts, and its passes.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use syn::Index;

use super::body::bounds;
use super::calls::{Half, pass};
use super::chains::Chains;
use super::prepared::Values;
use super::{Function, Model, hidden, profile};
use crate::dim::Dim;
use crate::graph::Callee;
use crate::graph::{Graph, Kind, Node, Phase, Source, Value};
use crate::hygiene::quote;
use crate::ops::variant;
use crate::passes::Form;
use crate::passes::plan::Part;

/// Everything that callers of the function use.
pub fn hidden_items(
    model: &Model,
    function: &Function,
    chains: &Chains,
    prepared: &Values,
) -> TokenStream {
    let bind = bind(model, function);
    let layouts = [
        layout(model, function, Form::Train, ["layout", "TABLE", "offsets"]),
        layout(model, function, Form::Infer, ["infer_layout", "INFER_TABLE", "infer_offsets"]),
    ];
    let sizes = sizes(model, function);
    let passes = [Half::INFER, Half::TRAIN, Half::BACK]
        .map(|half| pass(model, function, chains, prepared, half));
    let bounds = bounds(model, function);
    quote!(#bind #(#layouts)* #sizes #bounds #(#passes)*)
}

/// The run-time sizes from the first size of each argument.
fn bind(model: &Model, function: &Function) -> TokenStream {
    let name = hidden(&function.name, "bind");
    let sizes = model.sizes();
    let mut bound = HashSet::new();
    let lets = function.args.iter().enumerate().filter_map(|(a, arg)| {
        let lead = arg.ty.dims().first()?;
        let size = lead.as_run()?;
        let at = sizes.iter().position(|known| known == size)?;
        bound.insert(at).then(|| quote!(if #a < Args { n[#at] = leads[#a]; }))
    });
    let lets: Vec<_> = lets.collect();
    quote! {
        #[doc(hidden)]
        pub const fn #name<const Args: usize>(leads: [usize; Args]) -> ::gradiron::__rt::arena::Sizes {
            let mut n = [1; 4];
            #(#lets)*
            n
        }
    }
}

/// The nested calls of a graph, each once.
pub fn callees(graph: &Graph) -> Vec<&Callee> {
    let mut callees: Vec<&Callee> = Vec::new();
    for node in &graph.nodes {
        if let Some(callee) = node.op.callee()
            && !callees.iter().any(|known| known.id == callee.id)
        {
            callees.push(callee);
        }
    }
    callees
}

/// What stands before the offsets of a function: the floats of its saved and its scratch memory,
/// and the number of the target that they are for.
pub const HEADER: usize = 3;
pub const TARGET: usize = 2;

/// Sizes and lifetimes of the buffers, their offsets, and those of nested models behind them.
pub fn layout(model: &Model, function: &Function, form: Form, names: [&str; 3]) -> TokenStream {
    let Some((graph, plan)) = function.planned(form) else { return TokenStream::new() };
    let count = plan.buffers.len();
    let inference = form.is_inference();
    let [layout, table_name, offsets_name] = names.map(|suffix| hidden(&function.name, suffix));
    let (table, offsets) =
        if inference { ("INFER_TABLE", "infer_offsets") } else { ("TABLE", "offsets") };
    let sizes = plan.buffers.iter().map(|buffer| {
        let size = buffer.size.saturating_tokens();
        let size = match buffer.is_activation {
            true => quote! {
                if halves { ::gradiron::__rt::device::floats_of_halves(#size) } else { #size }
            },
            false => size,
        };
        let size = match buffer.cpu_only {
            true => quote!(if on_host { #size } else { 0 }),
            false => size,
        };
        match (buffer.inputs_only, buffer.conversion.is_some()) {
            (true, true) => quote!(if halves_between && want_inputs { #size } else { 0 }),
            (true, false) => quote!(if want_inputs { #size } else { 0 }),
            (false, true) => quote!(if halves_between { #size } else { 0 }),
            (false, false) => size,
        }
    });
    let lives = plan.buffers.iter().map(|buffer| {
        let life = |last: usize, part: Part| {
            let (first, last) = (node_number(buffer.first), node_number(last));
            let part = variant(&part);
            quote!(::gradiron::__rt::arena::Life::new(#first, #last, ::gradiron::__rt::arena::Part::#part))
        };
        let (with, without) =
            (life(buffer.last, buffer.part), life(buffer.without_bf16.0, buffer.without_bf16.1));
        match buffer.without_bf16 == (buffer.last, buffer.part) {
            true => with,
            false => quote!(if halves_between { #with } else { #without }),
        }
    });
    let lens = lens(graph);
    let callees = callees(graph);
    let tables = callees.iter().map(|callee| callee.item(table));
    let nested = callees.iter().map(|callee| {
        let (fill, sizes) = (callee.item(offsets), callee.sizes());
        let flags = if inference { quote!() } else { quote!(true, false,) };
        quote!(#fill(#sizes, #flags target, out);)
    });
    let stated = callees.iter().map(|callee| {
        callee.stated(if inference { &["infer_scratch"] } else { &["saved", "scratch"] })
    });
    let bind = if form == Form::Step { model.bind_step_sizes() } else { model.bind_sizes() };
    let flags = match inference {
        true => quote!(),
        false => quote!(want_inputs: bool, whole: bool,),
    };
    // A function that may become one piece keeps its values as they are.
    let (given, whole, small) = if inference {
        (quote!(), quote!(true), quote!())
    } else {
        let [flops, code_size] =
            ["flops", "code_size"].map(|suffix| hidden(&function.name, suffix));
        let small = quote! {
            let is_small =
                ::gradiron::__rt::function::is_small(Self::#flops([1; 4]), Self::#code_size[1]);
            let target = target.of_small(is_small);
        };
        (quote!(want_inputs, whole,), quote!(whole), small)
    };
    let target = quote!(target: ::gradiron::__rt::device::Target);
    quote! {
        #[doc(hidden)]
        pub const fn #layout(n: ::gradiron::__rt::arena::Sizes, #flags #target)
            -> ::gradiron::__rt::arena::Layout<#count>
        {
            #bind
            #small
            let (halves, halves_between) = (target.are_halves(), target.are_halves_between());
            let on_host = target.on_host();
            if ::gradiron::__rt::arena::max(&[#(#lens),*]) > ::gradiron::__rt::arena::MOST {
                return ::gradiron::__rt::arena::Layout::TOO_LARGE;
            }
            #(#stated)*
            ::gradiron::__rt::arena::plan([#(#sizes),*], [#(#lives),*], #whole)
        }
        #[doc(hidden)]
        pub const #table_name: usize = #HEADER + #count #(+ #tables)*;
        #[doc(hidden)]
        pub fn #offsets_name(
            n: ::gradiron::__rt::arena::Sizes, #flags #target, out: &mut Vec<usize>,
        ) {
            #bind
            #small
            let (layout, on_host) = (Self::#layout(n, #given target), target.on_host());
            out.extend_from_slice(&[layout.saved, layout.scratch, target.number()]);
            out.extend_from_slice(&layout.offsets);
            #(#nested)*
        }
    }
}

/// The elements of a graph's values, each number once: not of what nested calls keep in a form of
/// their own. Where all of them have an index, nothing that follows from them leaves the range of a
/// `usize`.
fn lens(graph: &Graph) -> Vec<TokenStream> {
    let mut lens: Vec<Dim> = Vec::new();
    let own =
        |value: &&Value| value.ty.kind != Kind::Saved && !matches!(value.source, Source::Cache(_));
    for value in graph.values.iter().filter(own) {
        let len = value.ty.shape.len();
        if len.as_lit().is_none_or(|len| len > 1 << 20) && !lens.contains(&len) {
            lens.push(len);
        }
    }
    lens.iter().map(Dim::saturating_tokens).collect()
}

/// The nodes of a graph that run each time.
fn run(graph: &Graph) -> impl Iterator<Item = &Node> {
    graph.nodes.iter().filter(|node| node.phase != Phase::Prepare)
}

/// What a nested call of this function needs, and its cost.
fn sizes(model: &Model, function: &Function) -> TokenStream {
    let [layout, infer_layout, saved, scratch, infer_scratch, flops, code_size] =
        ["layout", "infer_layout", "saved", "scratch", "infer_scratch", "flops", "code_size"]
            .map(|suffix| hidden(&function.name, suffix));
    let lengths = [&function.infer.0, &function.train.0].map(|graph| {
        let own: usize = run(graph).map(|node| node.op.code_size()).sum();
        let at = Index::from(usize::from(std::ptr::eq(graph, &function.train.0)));
        let nested = callees(graph).into_iter().map(|callee| callee.item("code_size"));
        quote!(#own #(+ #nested[#at])*)
    });
    let (graph, _) = &function.infer;
    let costs = run(graph).map(|node| profile::flops(graph, node));
    let total = costs.fold(Dim::lit(0), |sum, cost| sum.plus(&cost)).saturating_tokens();
    let nested = callees(graph).into_iter().map(|callee| callee.stated(&["flops"]));
    let (bind, target) = (model.bind_sizes(), quote!(::gradiron::__rt::device::Target));
    quote! {
        #[doc(hidden)]
        pub const fn #saved(n: ::gradiron::__rt::arena::Sizes, target: #target) -> usize {
            Self::#layout(n, true, false, target).saved
        }
        #[doc(hidden)]
        pub const fn #scratch(n: ::gradiron::__rt::arena::Sizes, target: #target) -> usize {
            Self::#layout(n, true, false, target).scratch
        }
        #[doc(hidden)]
        pub const fn #infer_scratch(n: ::gradiron::__rt::arena::Sizes, target: #target) -> usize {
            Self::#infer_layout(n, target).saved
        }
        #[doc(hidden)]
        pub const fn #flops(n: ::gradiron::__rt::arena::Sizes) -> usize {
            #bind
            #(#nested)*
            #total
        }
        #[doc(hidden)]
        pub const #code_size: [usize; 2] = [#(#lengths),*];
    }
}

/// The number of a node in a plan.
fn node_number(at: usize) -> u32 {
    u32::try_from(at).expect("a graph has a bounded number of nodes")
}
