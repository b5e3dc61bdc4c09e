//! The hidden items of a function: sizes, layouts, and the passes themselves.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream};
use syn::Index;

use super::chains::Chains;
use super::{Function, Model, hidden, profile};
use crate::dim::{Atom, Dim};
use crate::graph::{Dest, Graph, Kind, Phase, ValueId};
use crate::hygiene::{quote, variable};
use crate::ops::call::Callee;
use crate::ops::{Emit, variant};
use crate::plan::{Home, Part, Plan};

/// Everything that callers of the function use.
pub fn hidden_items(model: &Model, function: &Function, chains: &Chains) -> TokenStream {
    let bind = bind(model, function);
    let layouts = [
        layout(model, function, &function.train, "layout", "TABLE", "offsets"),
        layout(model, function, &function.infer, "infer_layout", "INFER_TABLE", "infer_offsets"),
    ];
    let sizes = sizes(model, function);
    let infer = pass(model, function, chains, Pass::Infer);
    let train = pass(model, function, chains, Pass::Train);
    let back = pass(model, function, chains, Pass::Back);
    quote!(#bind #(#layouts)* #sizes #infer #train #back)
}

/// The run-time sizes from the first size of each argument.
fn bind(model: &Model, function: &Function) -> TokenStream {
    let name = hidden(&function.name, "bind");
    let sizes = model.sizes();
    let mut bound = HashSet::new();
    let lets = function.args.iter().enumerate().filter_map(|(a, arg)| {
        let lead = arg.ty.dims().first()?;
        let mut atoms = lead.atoms();
        let (Some(Atom::Run(size)), None) = (atoms.next(), atoms.next()) else { return None };
        let at = sizes.iter().position(|known| known == size)?;
        bound.insert(at).then(|| quote!(if #a < Args { n[#at] = leads[#a]; }))
    });
    let lets: Vec<_> = lets.collect();
    quote! {
        #[doc(hidden)]
        pub const fn #name<const Args: usize>(leads: [usize; Args]) -> ::gradiron::arena::Sizes {
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

/// What stands before the offsets of a function: the floats of its saved and its scratch memory.
const HEADER: usize = 2;

/// Sizes and lifetimes of the buffers, their offsets, and those of nested models behind them.
fn layout(
    model: &Model,
    function: &Function,
    (graph, plan): &(Graph, Plan),
    layout: &str,
    table: &str,
    offsets: &str,
) -> TokenStream {
    let count = plan.buffers.len();
    let inference = layout == "infer_layout";
    let [layout, table_name, offsets_name] =
        [layout, table, offsets].map(|suffix| hidden(&function.name, suffix));
    let sizes = plan.buffers.iter().map(|buffer| {
        let size = buffer.size.tokens();
        if buffer.inputs_only { quote!(if want_inputs { #size } else { 0 }) } else { quote!(#size) }
    });
    let lives = plan.buffers.iter().map(|buffer| {
        let (first, last) = (buffer.first as u32, buffer.last as u32);
        let part = variant(&buffer.part);
        quote!(::gradiron::arena::Life::new(#first, #last, ::gradiron::arena::Part::#part))
    });
    let callees = callees(graph);
    let tables = callees.iter().map(|callee| callee.item(table));
    let nested = callees.iter().map(|callee| {
        let (fill, sizes) = (callee.item(offsets), callee.sizes());
        if inference {
            quote!(#fill(#sizes, out);)
        } else {
            quote!(#fill(#sizes, true, false, out);)
        }
    });
    let stated = callees.iter().map(|callee| {
        callee.stated(if inference { &["infer_scratch"] } else { &["saved", "scratch"] })
    });
    let bind = model.bind_sizes();
    let flags = if inference { quote!() } else { quote!(, want_inputs: bool, whole: bool) };
    let (given, whole) = if inference {
        (quote!(), quote!(true))
    } else {
        (quote!(, want_inputs, whole), quote!(whole))
    };
    quote! {
        #[doc(hidden)]
        pub const fn #layout(n: ::gradiron::arena::Sizes #flags) -> ::gradiron::arena::Layout<#count> {
            #bind
            #(#stated)*
            ::gradiron::arena::plan([#(#sizes),*], [#(#lives),*], #whole)
        }
        #[doc(hidden)]
        pub const #table_name: usize = #HEADER + #count #(+ #tables)*;
        #[doc(hidden)]
        pub fn #offsets_name(n: ::gradiron::arena::Sizes #flags, out: &mut Vec<usize>) {
            #bind
            let layout = Self::#layout(n #given);
            out.extend_from_slice(&[layout.saved, layout.scratch]);
            out.extend_from_slice(&layout.offsets);
            #(#nested)*
        }
    }
}

/// What a nested call of this function needs, and its cost.
fn sizes(model: &Model, function: &Function) -> TokenStream {
    let [layout, infer_layout, saved, scratch, infer_scratch, flops, steps] =
        ["layout", "infer_layout", "saved", "scratch", "infer_scratch", "flops", "steps"]
            .map(|suffix| hidden(&function.name, suffix));
    let lengths = [&function.infer.0, &function.train.0].map(|graph| {
        let own: usize = graph.nodes.iter().map(|node| node.op.steps()).sum();
        let at = Index::from(usize::from(std::ptr::eq(graph, &function.train.0)));
        let nested = callees(graph).into_iter().map(|callee| callee.item("steps"));
        quote!(#own #(+ #nested[#at])*)
    });
    let (graph, _) = &function.infer;
    let costs = graph.nodes.iter().map(|node| profile::flops(graph, node));
    let total = costs.fold(Dim::lit(0), |sum, cost| sum.plus(&cost)).tokens();
    let nested = callees(graph).into_iter().map(|callee| callee.stated(&["flops"]));
    let bind = model.bind_sizes();
    quote! {
        #[doc(hidden)]
        pub const fn #saved(n: ::gradiron::arena::Sizes) -> usize {
            Self::#layout(n, true, false).saved
        }
        #[doc(hidden)]
        pub const fn #scratch(n: ::gradiron::arena::Sizes) -> usize {
            Self::#layout(n, true, false).scratch
        }
        #[doc(hidden)]
        pub const fn #infer_scratch(n: ::gradiron::arena::Sizes) -> usize {
            Self::#infer_layout(n).saved
        }
        #[doc(hidden)]
        pub const fn #flops(n: ::gradiron::arena::Sizes) -> usize {
            #bind
            #(#nested)*
            #total
        }
        #[doc(hidden)]
        pub const #steps: [usize; 2] = [#(#lengths),*];
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    Infer,
    Train,
    Back,
}

impl Pass {
    fn name(self) -> &'static str {
        match self {
            Self::Infer => "infer",
            Self::Train => "train",
            Self::Back => "back",
        }
    }
}

/// The generic parameters, the parameters and the arguments of a pass. Generic parameters are in
/// camel case: the user's are constants. The numbers of arguments are generic: where a caller has
/// another one in mind, the check of the call says so, not rustc's types.
fn signature(pass: Pass) -> [TokenStream; 3] {
    let buf = quote!(::gradiron::device::Buf);
    let common = quote! {
        args: [#buf; FLOATS__], classes: [::gradiron::device::Indices; CLASSES__],
        results: [#buf; RESULTS__]
    };
    let (want, extra) = match pass {
        Pass::Infer => (quote!(), quote!(scratch: #buf)),
        Pass::Train => (quote!(), quote!(saved: #buf, new_state: #buf, scratch: #buf)),
        Pass::Back => (
            quote!(want_inputs: bool,),
            quote! {
                saved: #buf, d_results: [#buf; RESULTS__], d_params: #buf,
                d_args: [#buf; FLOATS__], scratch: #buf
            },
        ),
    };
    let state = if pass == Pass::Back { quote!() } else { quote!(state: #buf,) };
    let generics = quote! {
        <
            Kernels__: ::gradiron::device::Kernels,
            const FLOATS__: usize,
            const CLASSES__: usize,
            const RESULTS__: usize,
        >
    };
    let parameters = quote! {
        k: &mut Kernels__, n: ::gradiron::arena::Sizes, offsets: &[usize], #want params: #buf,
        #state #common, #extra
    };
    let arguments = match pass {
        Pass::Infer => quote!(k, n, offsets, params, state, args, classes, results, scratch),
        Pass::Train => quote! {
            k, n, offsets, params, state, args, classes, results, saved, new_state, scratch
        },
        Pass::Back => quote! {
            k, n, offsets, want_inputs, params, args, classes, results, saved, d_results, d_params,
            d_args, scratch
        },
    };
    [generics, parameters, arguments]
}

/// A pass of a model with mistakes.
pub fn empty_pass(function: &Ident, pass: Pass) -> TokenStream {
    let name = hidden(function, pass.name());
    let [generics, parameters, _] = signature(pass);
    quote! {
        #[doc(hidden)]
        pub fn #name #generics (#parameters) {}
    }
}

/// A pass as callers see it. It becomes part of the caller where the kernels are inlined, else it
/// is one function however often it is called.
fn pass(model: &Model, function: &Function, chains: &Chains, pass: Pass) -> TokenStream {
    let (graph, plan) = match pass {
        Pass::Infer => &function.infer,
        Pass::Train | Pass::Back => &function.train,
    };
    let writer = Writer { model, function, chains, graph, plan, pass };
    let nodes: Vec<usize> = (0..graph.nodes.len())
        .filter(|n| (graph.nodes[*n].phase == Phase::Forward) == (pass != Pass::Back))
        .filter(|n| !graph.nodes[*n].op.is_view())
        .collect();
    let bindings = writer.bindings(&nodes);
    let lines = nodes.iter().enumerate().map(|(number, n)| writer.line(number, *n));
    let offsets = writer.nested_offsets();
    let unreached = writer.unreached();
    let bind = model.bind_sizes();
    let name = hidden(&function.name, pass.name());
    let [shared, steps, ops, costs] = ["shared", "steps", "ops", "costs"]
        .map(|suffix| hidden(&function.name, &format!("{}_{suffix}", pass.name())));
    let profile = profile::items(model, [&ops, &costs], (graph, plan), &nodes);
    let [generics, parameters, arguments] = signature(pass);
    quote! {
        #[doc(hidden)]
        #[inline(always)]
        pub fn #name #generics (#parameters) {
            if Kernels__::INLINE { Self::#steps(#arguments) } else { Self::#shared(#arguments) }
        }
        #[inline(never)]
        fn #shared #generics (#parameters) {
            Self::#steps(#arguments)
        }
        #[inline(always)]
        fn #steps #generics (#parameters) {
            #bind
            #offsets
            #bindings
            k.enter(Self::#ops, n);
            #unreached
            #(#lines)*
            k.leave();
        }
        #profile
    }
}

struct Writer<'a> {
    model: &'a Model<'a>,
    function: &'a Function,
    chains: &'a Chains,
    graph: &'a Graph,
    plan: &'a Plan,
    pass: Pass,
}

impl Writer<'_> {
    /// The variable of a value: `fc1_7`.
    fn var(&self, value: ValueId) -> Ident {
        let label = &self.graph.values[value].label;
        let plain: String =
            label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let plain = plain.trim_matches('_');
        match plain.starts_with(|c: char| c.is_ascii_alphabetic()) {
            true => variable!("{plain}_{value}"),
            false => variable!("v_{value}"),
        }
    }

    /// The position of an argument among the arguments of its kind.
    fn among(&self, arg: usize) -> usize {
        let kind = self.function.args[arg].ty.kind;
        self.function.args[..arg].iter().filter(|other| other.ty.kind == kind).count()
    }

    /// The range that a value lives in.
    fn place(&self, value: ValueId) -> Option<TokenStream> {
        let ty = self.graph.ty(value);
        Some(match self.plan.homes[value] {
            Home::Arg(a) => {
                let at = Index::from(self.among(a));
                match self.function.args[a].ty.kind {
                    Kind::Classes => quote!(classes[#at]),
                    _ => quote!(args[#at]),
                }
            }
            Home::Param(p) => {
                let range = self.param_range(p);
                quote!(params #range)
            }
            Home::State(s) => {
                let range = self.state_range(s);
                quote!(state #range)
            }
            Home::DResult(r) => {
                let r = Index::from(r);
                quote!(d_results[#r])
            }
            Home::Out(Dest::Result(r)) => {
                let r = Index::from(r);
                quote!(results[#r])
            }
            Home::Out(Dest::NewState(s)) => {
                let range = self.state_range(s);
                quote!(new_state #range)
            }
            Home::Out(Dest::DParam(p)) => {
                let range = self.param_range(p);
                quote!(d_params #range)
            }
            Home::Out(Dest::DArg(a)) => {
                let at = Index::from(self.among(a));
                quote!(d_args[#at])
            }
            Home::Buffer(b) => self.buffer(b, &ty.shape.len()),
            Home::Nowhere => return None,
        })
    }

    fn param_range(&self, p: usize) -> TokenStream {
        let at = Index::from(self.model.params.order[p]);
        let len = self.model.params.tensors[p].1.shape.len().tokens();
        quote!(.part(Self::__AT[#at], #len))
    }

    fn state_range(&self, s: usize) -> TokenStream {
        let at = Index::from(self.model.state.order[s]);
        let len = self.model.state.tensors[s].1.shape.len().tokens();
        quote!(.part(Self::__STATE_AT[#at], #len))
    }

    fn buffer(&self, b: usize, len: &Dim) -> TokenStream {
        let (len, b_at) = (len.tokens(), Index::from(HEADER + b));
        let memory = match (self.pass, self.plan.buffers[b].part) {
            (Pass::Infer, _) | (_, Part::Forward | Part::Backward) => quote!(scratch),
            (_, Part::Saved) => quote!(saved),
        };
        quote!(#memory.part(offsets[#b_at], #len))
    }

    /// `let fc1_7 = saved.part(offsets[3], batch * 128);`
    fn bindings(&self, nodes: &[usize]) -> TokenStream {
        let mut seen = HashSet::new();
        let mut lets = TokenStream::new();
        for n in nodes {
            let node = &self.graph.nodes[*n];
            for value in node.inputs.iter().chain(&node.outputs) {
                if !seen.insert(*value) {
                    continue;
                }
                let Some(place) = self.place(*value) else { continue };
                let (var, inputs_only) = (self.var(*value), self.is_inputs_only(*value));
                // Memory that is there only when the gradients of the arguments are asked for.
                lets.extend(match inputs_only {
                    true => {
                        quote!(let #var = if want_inputs { #place } else { params.part(0, 0) };)
                    }
                    false => quote!(let #var = #place;),
                });
            }
        }
        lets
    }

    fn is_inputs_only(&self, value: ValueId) -> bool {
        match self.plan.homes[value] {
            Home::Buffer(b) => self.plan.buffers[b].inputs_only,
            _ => false,
        }
    }

    /// Parameters that this function does not depend on have no gradient, and state that it does
    /// not change stays as it is.
    fn unreached(&self) -> TokenStream {
        let reached = |dest: Dest| self.graph.outputs.iter().any(|(reached, _)| *reached == dest);
        if self.pass == Pass::Train {
            let held = (0..self.model.state.tensors.len()).filter(|s| !reached(Dest::NewState(*s)));
            let copies = held.map(|s| {
                let range = self.state_range(s);
                quote!(k.copy(new_state #range, state #range);)
            });
            return copies.collect();
        }
        if self.pass == Pass::Infer {
            return TokenStream::new();
        }
        let params = 0..self.model.params.tensors.len();
        let fills = params.filter(|p| !reached(Dest::DParam(*p))).map(|p| {
            let range = self.param_range(p);
            quote!(k.fill(d_params #range, 0.0);)
        });
        let floats: Vec<_> = (0..self.function.args.len())
            .filter(|a| self.function.args[*a].ty.kind == Kind::Float)
            .collect();
        let unreached = floats.iter().enumerate().filter(|(_, a)| !reached(Dest::DArg(**a)));
        let arg_fills = unreached.map(|(at, _)| quote!(k.fill(d_args[#at], 0.0);));
        let arg_fills: Vec<_> = arg_fills.collect();
        let arg_fills = match arg_fills.len() {
            0 => quote!(),
            _ => quote!(if want_inputs { #(#arg_fills)* }),
        };
        quote!(#(#fills)* #arg_fills)
    }

    /// The parts of the offsets that belong to nested models.
    fn nested_offsets(&self) -> TokenStream {
        let mut start = {
            let own = HEADER + self.plan.buffers.len();
            quote!(#own)
        };
        let table = if self.pass == Pass::Infer { "INFER_TABLE" } else { "TABLE" };
        let mut lets = TokenStream::new();
        for callee in callees(self.graph) {
            let (var, len) = (callee.offsets(), callee.item(table));
            lets.extend(quote!(let #var = &offsets[#start..][..#len];));
            lets.extend(callee.planned(self.pass == Pass::Infer));
            start = quote!(#start + #len);
        }
        lets
    }

    /// One runtime call, the operation `number` of the pass.
    fn line(&self, number: usize, n: usize) -> TokenStream {
        let node = &self.graph.nodes[n];
        let types = |values: &[ValueId]| values.iter().map(|v| self.graph.ty(*v).clone()).collect();
        let vars = |values: &[ValueId]| -> Vec<TokenStream> {
            values
                .iter()
                .map(|v| {
                    let var = self.var(*v);
                    quote!(#var)
                })
                .collect()
        };
        let uses = self.graph.uses();
        let scratch = self.plan.scratch[n].map(|b| self.buffer(b, &self.plan.buffers[b].size));
        let emit = Emit {
            inputs: types(&node.inputs),
            input_vars: vars(&node.inputs),
            output_vars: vars(&node.outputs),
            used: node.outputs.iter().map(|o| uses[*o] > 0).collect(),
            scratch,
            item: self.chains.path(&*node.op),
            inference: self.pass == Pass::Infer,
            then: None,
        };
        let call = node.op.emit(&emit);
        match node.phase {
            Phase::BackwardInputs => quote!(if want_inputs { k.op(#number); #call }),
            _ => quote!(k.op(#number); #call),
        }
    }
}
