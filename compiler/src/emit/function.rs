//! A function as a type: what models around this one ask of it, how its memory is planned, and its
//! passes.

use proc_macro2::TokenStream;
use quote::format_ident;
use syn::Index;

use super::body::{bounds, inputs};
use super::calls::{Half, pass};
use super::chains::Chains;
use super::lens::Lens;
use super::prepared::Values;
use super::{Function, Model, budget, checks, function_type, needs, runs, stepwise, summary};
use crate::dim::Dim;
use crate::graph::callee::function_value;
use crate::graph::{Callee, Graph, Node, Phase};
use crate::hygiene::quote;
use crate::outline;
use crate::passes::Form;
use crate::passes::plan::{Buffer, Part, Plan};

/// The type of a function, and the constant of the model that is its value.
pub fn items(
    model: &Model,
    at: usize,
    function: &Function,
    chains: &Chains,
    prepared: &Values,
) -> TokenStream {
    let (ty, value) = (function_type(&function.name), function_value(&function.name));
    let (declared, given) = model.generic_lists();
    let (path, vis) = (model.generics().1, model.vis());
    let (definition, it) = model.unit(&ty);
    let interface = checks::interface(model, at);
    let bind = bind(model, function);
    let unmet = needs::unmet(model, function);
    let layouts = [layout(model, function, Form::Train), layout(model, function, Form::Infer)];
    let sizes = sizes(model, function);
    let floats = floats(model, function);
    let passes = [Half::INFER, Half::TRAIN, Half::BACK]
        .map(|half| pass(model, function, chains, prepared, half));
    let (bounds, inputs) = (bounds(model, function), inputs(model, function));
    let (shares, rows) = (budget::shares(model, function), summary::rows(model, function));
    let runs = runs::implementation(model, at, function);
    quote! {
        #vis #definition
        impl #declared #path {
            #[doc(hidden)]
            #vis const #value: #ty #given = #it;
        }
        impl #declared #ty #given {
            #interface
            #bind
            #unmet
            #(#layouts)*
            #sizes
            #floats
            #bounds
            #inputs
            #(#passes)*
            #shares
            #rows
        }
        #runs
    }
}

/// The run-time sizes from those of the arguments: what is declared by a name alone is that name's.
fn bind(model: &Model, function: &Function) -> TokenStream {
    let places = function.args.iter().enumerate().flat_map(|(a, arg)| {
        arg.ty.dims().iter().enumerate().map(move |(axis, dim)| (dim, a, axis))
    });
    let places: Vec<_> = places.collect();
    let sizes = model.sizes().into_iter().map(|size| {
        let place = places.iter().find(|(dim, ..)| dim.as_run() == Some(&size));
        place.map_or(quote!(1), |(_, a, axis)| {
            let (a, axis) = (Index::from(*a), Index::from(*axis));
            quote!(__private::size_of_axis(args, #a, #axis))
        })
    });
    let sizes: Vec<_> = sizes.collect();
    let ones = (sizes.len()..4).map(|_| quote!(1));
    quote! {
        #[inline(always)]
        pub const fn bind(self, args: &[&[usize]]) -> __private::Sizes {
            [#(#sizes,)* #(#ones),*]
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

/// What stands before the offsets of a function (`HEADER` of the runtime).
pub const HEADER: usize = 4;

/// A buffer of the plan: `Row::saved(len_0, 1, 41).values()`.
fn row(buffer: &Buffer, lens: &Lens) -> TokenStream {
    let part = |part: Part| match part {
        Part::Saved => "saved",
        Part::Forward => "forward",
        Part::Backward => "backward",
    };
    let (size, own) = (lens.of(&buffer.size), format_ident!("{}", part(buffer.part)));
    let (first, last) = (node_number(buffer.first), node_number(buffer.last));
    let when = |holds: bool, what: TokenStream| holds.then_some(what);
    let values = when(buffer.is_activation, quote!(.values()));
    let on_host = when(buffer.cpu_only, quote!(.on_host()));
    let for_inputs = when(buffer.inputs_only, quote!(.for_inputs()));
    let between = when(buffer.conversion.is_some(), quote!(.between()));
    let for_params = when(buffer.params_only, quote!(.for_params()));
    let without_params = when(buffer.spare, quote!(.without_params()));
    let is_saved = buffer.part == Part::Saved;
    let ends = when(is_saved && buffer.ends > buffer.first, {
        let last = node_number(buffer.ends);
        quote!(.ends(#last))
    });
    let otherwise = when(buffer.without_bf16 != (buffer.last, buffer.part), {
        let (last, other) = buffer.without_bf16;
        let (last, other) = (node_number(last), format_ident!("else_{}", part(other)));
        quote!(.#other(#last))
    });
    quote! {
        __private::Row::#own(#size, #first, #last) #values #on_host #for_inputs #for_params
            #without_params #ends #between #otherwise
    }
}

/// The rows of a function's plan, and what has to be bound for them where its sizes are `n`.
pub struct Rows {
    pub bind: TokenStream,
    pub rows: Vec<TokenStream>,
    /// The sizes of all values: where one is too large, the rows mean nothing.
    pub lens: TokenStream,
    /// The sizes of nested calls.
    pub nested: TokenStream,
}

impl Rows {
    pub fn new(model: &Model, form: Form, (graph, plan): (&Graph, &Plan)) -> Self {
        let (lens, inference) = (Lens::new(graph), form.is_inference());
        let bind = if form == Form::Step { model.bind_step_sizes() } else { model.bind_sizes() };
        // A function that may become one piece keeps its values as they are.
        let small = (!inference).then(|| quote!(let target = target.of_small(Self.is_small());));
        let lets = lens.bind();
        let stated = callees(graph)
            .into_iter()
            .map(|callee| callee.stated(if inference { &["infer_scratch"] } else { &["blocks"] }));
        Self {
            bind: quote!(#bind #small let on_host = target.on_host(); #lets),
            rows: plan.buffers.iter().map(|buffer| row(buffer, &lens)).collect(),
            lens: lens.all(),
            nested: stated.collect(),
        }
    }
}

/// Sizes and lifetimes of the buffers, their offsets, and those of nested models behind them.
pub fn layout(model: &Model, function: &Function, form: Form) -> TokenStream {
    let Some((graph, plan)) = function.planned(form) else { return TokenStream::new() };
    let count = Index::from(plan.buffers.len());
    let inference = form.is_inference();
    let Rows { bind, rows, lens, nested: stated } = Rows::new(model, form, (graph, plan));
    let (table, offsets) = match inference {
        true => ("infer_table", "infer_offsets"),
        false => ("table", "offsets"),
    };
    let callees = callees(graph);
    let tables = callees.iter().map(|callee| callee.item(table));
    let nested = callees.iter().map(|callee| {
        let (fill, sizes) = (callee.item(offsets), callee.sizes());
        let want = callee.want();
        let flags = if inference { quote!() } else { quote!(#want, false,) };
        quote!(#fill(#sizes, #flags target, out);)
    });
    let bind_nested = (!callees.is_empty()).then(|| {
        let bind = if form == Form::Step { model.bind_step_sizes() } else { model.bind_sizes() };
        quote!(#bind let on_host = target.on_host();)
    });
    let [layout, table, offsets] =
        [if inference { "infer_layout" } else { "layout" }, table, offsets]
            .map(|name| format_ident!("{name}"));
    let own = Index::from(HEADER + plan.buffers.len());
    // A function that may become one piece keeps its values as they are.
    let (flags, given, small) = match inference {
        true => (quote!(), quote!(__private::Want::PARAMS, true), quote!()),
        false => (
            quote!(want: __private::Want, whole: bool,),
            quote!(want, whole),
            quote!(let target = target.of_small(Self.is_small());),
        ),
    };
    let passed = if inference { quote!() } else { quote!(want, whole,) };
    quote! {
        const fn #layout(self, n: __private::Sizes, #flags target: __private::Target)
            -> __private::Layout<#count>
        {
            #bind
            if __private::are_too_large(#lens) {
                return __private::Layout::TOO_LARGE;
            }
            #stated
            __private::layout(&[#(#rows),*], target, #given)
        }
        pub const fn #table(self) -> usize {
            #own #(+ #tables())*
        }
        pub fn #offsets(
            self, n: __private::Sizes, #flags target: __private::Target, out: &mut __private::Vec<usize>,
        ) {
            #small
            __private::offsets(&Self.#layout(n, #passed target), target, out);
            #bind_nested
            #(#nested)*
        }
    }
}

/// The nodes of a graph that run each time.
pub fn run(graph: &Graph) -> impl Iterator<Item = &Node> {
    graph.nodes.iter().filter(|node| node.phase != Phase::Prepare)
}

/// What a nested call of this function needs, and its cost.
fn sizes(model: &Model, function: &Function) -> TokenStream {
    let lengths = [&function.infer.0, &function.train.0].map(|graph| {
        let own = Index::from(run(graph).map(|node| node.op.code_size()).sum::<usize>());
        let at = Index::from(usize::from(std::ptr::eq(graph, &function.train.0)));
        let nested = callees(graph).into_iter().map(|callee| callee.item("code_size"));
        quote!(#own #(+ #nested()[#at])*)
    });
    let (graph, _) = &function.infer;
    let costs = run(graph).map(|node| outline::flops(graph, node));
    let total = costs.fold(Dim::lit(0), |sum, cost| sum.plus(&cost)).saturating_tokens();
    let nested = callees(graph).into_iter().map(|callee| callee.stated(&["flops"]));
    let (bind, sample) = (model.bind_sizes(), model.sample());
    let (n, target) = (quote!(n: __private::Sizes), quote!(target: __private::Target));
    quote! {
        const fn is_small(self) -> bool {
            __private::is_small(Self.flops(#sample), Self.code_size()[1])
        }
        pub const fn blocks(self, #n, want: __private::Want, #target) -> [usize; 2] {
            let layout = Self.layout(n, want, false, target);
            [layout.saved, layout.scratch]
        }
        pub const fn infer_scratch(self, #n, #target) -> usize {
            Self.infer_layout(n, target).saved
        }
        pub const fn flops(self, #n) -> usize {
            #bind
            #(#nested)*
            #total
        }
        pub const fn code_size(self) -> [usize; 2] {
            [#(#lengths),*]
        }
    }
}

/// The elements of what the function takes and gives, and the arena that each pass takes.
fn floats(model: &Model, function: &Function) -> TokenStream {
    use crate::graph::Kind;
    let of = |kind: Kind| -> Vec<TokenStream> {
        let args = function.args.iter().filter(|arg| arg.ty.kind == kind);
        args.map(|arg| arg.ty.shape.len().saturating_tokens()).collect()
    };
    let (args, classes) = (of(Kind::Float), of(Kind::Classes));
    let results = function.results.iter().map(|ty| ty.shape.len().saturating_tokens());
    let [a, c, r] = [args.len(), classes.len(), function.results.len()].map(Index::from);
    let bind = model.bind_sizes();
    let step = stepwise::floats(model, function);
    let path = model.generics().1;
    quote! {
        const fn lens(self, n: __private::Sizes) -> __private::Lens<#a, #c, #r> {
            #bind
            __private::Lens {
                args: [#(#args),*], classes: [#(#classes),*], results: [#(#results),*],
            }
        }
        const fn floats(
            self, n: __private::Sizes, pass: __private::Pass, target: __private::Target,
        ) -> usize {
            let block = match pass {
                __private::Pass::Infer => Self.infer_layout(n, target).saved,
                __private::Pass::Step => #step,
                __private::Pass::Grad => Self.layout(n, __private::Want::PARAMS, true, target).saved,
                __private::Pass::GradInputs => Self.layout(n, __private::Want::ALL, true, target).saved,
                __private::Pass::Training => __private::plus(
                    __private::padded(<#path as __private::Module>::STATE),
                    Self.layout(n, __private::Want::NOTHING, true, target).saved,
                ),
            };
            Self.lens(n).floats(pass, block)
        }
    }
}

/// The number of a node in a plan.
fn node_number(at: usize) -> Index {
    Index::from(at)
}
