//! The passes of a function: one runtime call for each operation.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream};
use syn::Index;

use super::chains::Chains;
use super::function::{HEADER, TARGET, callees};
use super::prepared::Values;
use super::{Function, Model, hidden, profile};
use crate::dim::Dim;
use crate::graph::Emit;
use crate::graph::{Dest, Graph, Kind, Node, Phase, Source, ValueId};
use crate::hygiene::{quote, variable};
use crate::passes::Form;
use crate::passes::plan::{Home, Part, Plan, Stored};

/// What an emitted function runs: a form, and of training its forward or its backward phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Half(pub Form, pub Phase);

impl Half {
    pub const INFER: Self = Self(Form::Infer, Phase::Forward);
    pub const STEP: Self = Self(Form::Step, Phase::Forward);
    pub const TRAIN: Self = Self(Form::Train, Phase::Forward);
    pub const BACK: Self = Self(Form::Train, Phase::Backward);

    fn name(self) -> &'static str {
        match self {
            Self::INFER => "infer",
            Self::STEP => "step",
            Self::BACK => "back",
            _ => "train",
        }
    }
}

/// The generic parameters, the parameters and the arguments of a pass. Generic parameters are in
/// camel case: the user's are constants. The numbers of arguments are generic: where a caller has
/// another one in mind, the check of the call says so, not rustc's types.
fn signature(half: Half) -> [TokenStream; 3] {
    let buf = quote!(::gradiron::__rt::device::Buf);
    let common = quote! {
        args: [#buf; FLOATS__], classes: [::gradiron::__rt::device::Indices; CLASSES__],
        results: [#buf; RESULTS__]
    };
    let (want, extra) = match half {
        Half::INFER => (quote!(), quote!(prepared: #buf, scratch: #buf)),
        Half::STEP => (quote!(), quote!(cache: #buf, prepared: #buf, scratch: #buf)),
        Half::BACK => (
            quote!(want_inputs: bool,),
            quote! {
                saved: #buf, d_results: [#buf; RESULTS__], d_params: #buf,
                d_args: [#buf; FLOATS__], scratch: #buf
            },
        ),
        _ => (quote!(), quote!(saved: #buf, new_state: #buf, scratch: #buf)),
    };
    let state = if half == Half::BACK { quote!() } else { quote!(state: #buf,) };
    let generics = quote! {
        <
            Kernels__: ::gradiron::__rt::device::Kernels,
            const FLOATS__: usize,
            const CLASSES__: usize,
            const RESULTS__: usize,
        >
    };
    let parameters = quote! {
        k: &mut Kernels__, n: ::gradiron::__rt::arena::Sizes, offsets: &[usize], #want params: #buf,
        #state #common, #extra
    };
    let arguments = match half {
        Half::INFER => {
            quote!(k, n, offsets, params, state, args, classes, results, prepared, scratch)
        }
        Half::STEP => quote! {
            k, n, offsets, params, state, args, classes, results, cache, prepared, scratch
        },
        Half::BACK => quote! {
            k, n, offsets, want_inputs, params, args, classes, results, saved, d_results, d_params,
            d_args, scratch
        },
        _ => quote! {
            k, n, offsets, params, state, args, classes, results, saved, new_state, scratch
        },
    };
    [generics, parameters, arguments]
}

/// A pass of a model with mistakes.
pub fn empty_pass(function: &Ident, half: Half) -> TokenStream {
    let name = hidden(function, half.name());
    let [generics, parameters, _] = signature(half);
    quote! {
        #[doc(hidden)]
        pub fn #name #generics (#parameters) {}
    }
}

/// A pass as callers see it. It becomes part of the caller where the kernels are inlined, else it
/// is one function however often it is called.
pub fn pass(
    model: &Model,
    function: &Function,
    chains: &Chains,
    prepared: &Values,
    half: Half,
) -> TokenStream {
    let Half(form, phase) = half;
    let Some((graph, plan)) = function.planned(form) else { return TokenStream::new() };
    let writer = Writer { model, function, chains, prepared, graph, plan, form, phase };
    let is_backward = phase == Phase::Backward;
    let nodes: Vec<usize> = (0..graph.nodes.len())
        .filter(|n| match graph.nodes[*n].phase {
            Phase::Prepare => false,
            Phase::Forward => !is_backward,
            Phase::Backward | Phase::BackwardInputs => is_backward,
        })
        .filter(|n| !graph.nodes[*n].op.is_view())
        .collect();
    let target = writer.target();
    let pieces = writer.pieces(&nodes);
    let offsets = writer.nested_offsets();
    let unreached = writer.unreached();
    let bind = match form {
        Form::Step => {
            let (bind, at) = (model.bind_step_sizes(), hidden(&function.name, "cache_at"));
            quote!(#bind let cache_at = Self::#at(n);)
        }
        _ => model.bind_sizes(),
    };
    let name = hidden(&function.name, half.name());
    let [shared, steps, ops, costs] = ["shared", "steps", "ops", "costs"]
        .map(|suffix| hidden(&function.name, &format!("{}_{suffix}", half.name())));
    let phase = if is_backward { "Backward" } else { "Forward" };
    let ran = nodes.iter().map(|n| (&graph.nodes[*n], graph, plan));
    let sizes = if form == Form::Step { model.bind_step_sizes() } else { model.bind_sizes() };
    let profile = profile::items(&sizes, [&ops, &costs], phase, &ran.collect::<Vec<_>>());
    let [generics, parameters, arguments] = signature(half);
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
            #target
            #offsets
            k.enter(Self::#ops, n);
            #unreached
            #pieces
            k.leave();
        }
        #profile
    }
}

/// The operations of a piece of a pass.
pub const PIECE: usize = 40;

/// Code that is one function, or a function for each piece where there are several: what is not optimised
/// keeps each range and each argument on the stack until a function ends.
pub fn closures(pieces: &[TokenStream]) -> TokenStream {
    match pieces {
        [one] => one.clone(),
        _ => quote!(#((|k: &mut Kernels__| { #pieces })(k);)*),
    }
}

/// The call that prepares the outputs of node `n` of a function, the operation `number` of the
/// preparation.
pub fn preparation(
    model: &Model,
    (function, form): (&Function, Form),
    chains: &Chains,
    prepared: &Values,
    (number, n): (usize, usize),
) -> TokenStream {
    let (graph, plan) = function.planned(form).expect("the form of one of its nodes");
    let phase = Phase::Prepare;
    let writer = Writer { model, function, chains, prepared, graph, plan, form, phase };
    let (bindings, line) = (writer.bindings(&[n]), writer.line(number, n));
    quote!({ #bindings #line })
}

struct Writer<'a> {
    model: &'a Model<'a>,
    function: &'a Function,
    chains: &'a Chains,
    prepared: &'a Values<'a>,
    graph: &'a Graph,
    plan: &'a Plan,
    form: Form,
    phase: Phase,
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
            Home::Prepared(v) => {
                let at = Index::from(self.prepared.place(self.function, self.form, v));
                let len = self.graph.ty(v).shape.len().tokens();
                let len = match self.maker(v).is_some_and(|node| node.op.serves_cpu_only()) {
                    true => quote!(if on_host { #len } else { 0 }),
                    false => len,
                };
                quote!(prepared.part(Self::__PREPARED_AT.of(on_host)[#at], #len))
            }
            Home::Cache(c) => {
                let (at, len) = (Index::from(c), ty.shape.len().tokens());
                quote!(cache.part(cache_at[#at], #len))
            }
            Home::Buffer(b) => self.buffer(b, &ty.shape.len()),
            Home::Nowhere => return None,
        })
    }

    /// The node that makes a value.
    fn maker(&self, value: ValueId) -> Option<&Node> {
        match self.graph.values[value].source {
            Source::Node(n, _) => Some(&self.graph.nodes[n]),
            _ => None,
        }
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
        let buffer = &self.plan.buffers[b];
        let len = len.tokens();
        let range = |b: usize, part: Part| {
            let at = Index::from(HEADER + b);
            let memory = match (self.form, part) {
                (Form::Train, Part::Saved) => quote!(saved),
                _ => quote!(scratch),
            };
            let len = match self.plan.buffers[b].cpu_only {
                true => quote!(if on_host { #len } else { 0 }),
                false => len.clone(),
            };
            match self.plan.buffers[b].values {
                true => quote!(#memory.values(offsets[#at], #len, target.are_halves())),
                false => quote!(#memory.part(offsets[#at], #len)),
            }
        };
        let (own, unstored) = (range(b, buffer.part), buffer.unstored.1);
        let other = match buffer.stored {
            Some(Stored::Half) => quote!(params.part(0, 0)),
            Some(Stored::Again(of)) => range(of, self.plan.buffers[of].unstored.1),
            None if unstored != buffer.part => range(b, unstored),
            None => return own,
        };
        quote!(if target.are_halves_between() { #own } else { #other })
    }

    /// What the memory was planned for. Where kernels are inlined it is a processor with values in floats,
    /// and rustc leaves out what else there is.
    fn target(&self) -> TokenStream {
        let (at, of) = (Index::from(TARGET), quote!(::gradiron::__rt::device::Target));
        quote! {
            let target = #of::from_number(if Kernels__::INLINE { 0 } else { offsets[#at] });
            let on_host = Kernels__::ON_HOST;
        }
    }

    /// The calls of a pass and the ranges that they name, in pieces.
    fn pieces(&self, nodes: &[usize]) -> TokenStream {
        let numbered: Vec<(usize, usize)> = nodes.iter().copied().enumerate().collect();
        let code = numbered.chunks(PIECE).map(|piece| {
            let nodes: Vec<usize> = piece.iter().map(|(_, n)| *n).collect();
            let bindings = self.bindings(&nodes);
            let lines = piece.iter().map(|(number, n)| self.line(*number, *n));
            quote!(#bindings #(#lines)*)
        });
        closures(&code.collect::<Vec<_>>())
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
        if (self.form, self.phase) == (Form::Train, Phase::Forward) {
            let held = (0..self.model.state.tensors.len()).filter(|s| !reached(Dest::NewState(*s)));
            let copies = held.map(|s| {
                let range = self.state_range(s);
                quote!(k.copy(new_state #range, state #range);)
            });
            return copies.collect();
        }
        if self.form.is_inference() {
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
        let inference = self.form.is_inference();
        let table = if inference { "INFER_TABLE" } else { "TABLE" };
        let mut lets = TokenStream::new();
        for callee in callees(self.graph) {
            let (var, len) = (callee.offsets(), callee.item(table));
            lets.extend(quote!(let #var = &offsets[#start..][..#len];));
            lets.extend(callee.planned(inference));
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
            inference: self.form.is_inference(),
            then: None,
        };
        let call = node.op.emit(&emit);
        match (node.phase == Phase::BackwardInputs, node.op.is_conversion()) {
            (true, true) => {
                quote!(if target.are_halves_between() && want_inputs { k.op(#number); #call })
            }
            (true, false) => quote!(if want_inputs { k.op(#number); #call }),
            (false, true) => quote!(if target.are_halves_between() { k.op(#number); #call }),
            (false, false) => quote!(k.op(#number); #call),
        }
    }
}
