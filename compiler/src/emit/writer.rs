//! The calls of a graph's nodes, and the ranges of memory that they name.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream};
use syn::Index;

use super::calls::{PIECE, closures};
use super::chains::Chains;
use super::function::{HEADER, callees};
use super::prepared::Values;
use super::{Function, Model};
use crate::dim::Dim;
use crate::graph::{Dest, Emit, Graph, Kind, Phase, ValueId};
use crate::hygiene::{bare, quote, variable};
use crate::passes::Form;
use crate::passes::plan::{Conversion, Home, Part, Plan};

/// Writes the calls of a graph's nodes and the ranges that they name.
pub struct Writer<'a> {
    pub model: &'a Model<'a>,
    pub function: &'a Function,
    pub chains: &'a Chains,
    pub prepared: &'a Values<'a>,
    pub graph: &'a Graph,
    pub plan: &'a Plan,
    pub form: Form,
    pub phase: Phase,
}

impl Writer<'_> {
    /// The variable of a value: `fc1_7`.
    fn var(&self, value: ValueId) -> Ident {
        let label = &self.graph.values[value].label;
        let plain: String = label
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
            .collect();
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
            Home::Constant(c) => {
                let (model, item) = (self.model.path(), super::constants::item(c));
                match ty.kind {
                    Kind::Classes => quote!(__private::Indices::constant(#model::#item)),
                    _ => quote!(__private::Buf::constant(#model::#item)),
                }
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
                let [at, len] = self.param_at(p);
                match self.plan.spares[value] {
                    Some(spare) => {
                        let spare = self.buffer(spare, &ty.shape.len());
                        quote!(if want.params { d_params.part(#at, #len) } else { #spare })
                    }
                    None => quote!(want.part(d_params, #at, #len)),
                }
            }
            Home::Out(Dest::DArg(a)) => {
                let at = Index::from(self.among(a));
                quote!(d_args[#at])
            }
            Home::Prepared(v) => {
                let at = Index::from(self.prepared.place(self.function, self.form, v));
                let model = self.model.path();
                quote!(#model::__PREPARED.of(on_host).part(prepared, #at))
            }
            Home::Cache(c) => {
                let (at, len) = (Index::from(c), ty.shape.len().tokens());
                quote!(cache.part(cache_at[#at], #len))
            }
            Home::Buffer(b) => self.buffer(b, &ty.shape.len()),
            Home::Nowhere => return None,
        })
    }

    fn param_range(&self, p: usize) -> TokenStream {
        let [at, len] = self.param_at(p);
        quote!(.part(#at, #len))
    }

    /// Where a parameter starts among the parameters, and its length.
    fn param_at(&self, p: usize) -> [TokenStream; 2] {
        let at = self.model.params.start(self.model.params.order[p]);
        let at = at.unwrap_or_else(|place| {
            let (model, place) = (self.model.path(), Index::from(place));
            quote!(#model::__AT[#place])
        });
        [at, bare(self.model.params.tensors[p].1.shape.len().tokens())]
    }

    fn state_range(&self, s: usize) -> TokenStream {
        let at = self.model.state.start(self.model.state.order[s]);
        let at = at.unwrap_or_else(|place| {
            let (model, place) = (self.model.path(), Index::from(place));
            quote!(#model::__STATE_AT[#place])
        });
        let len = bare(self.model.state.tensors[s].1.shape.len().tokens());
        quote!(.part(#at, #len))
    }

    /// A range of planned memory: `m.saved(3, 4704 * batch)`.
    fn buffer(&self, b: usize, len: &Dim) -> TokenStream {
        let buffer = &self.plan.buffers[b];
        let values = |b: usize| self.plan.buffers[b].is_activation;
        let suffix = if values(b) { "_values" } else { "" };
        let (at, len) = (Index::from(b), bare(len.tokens()));
        let is_saved = |part: Part| (self.form, part) == (Form::Train, Part::Saved);
        let place = |part: Part| if is_saved(part) { "saved" } else { "scratch" };
        let method = |name: String| quote::format_ident!("{name}");
        let differs = is_saved(buffer.without_bf16.1) != is_saved(buffer.part);
        match buffer.conversion {
            Some(Conversion::Half) => {
                assert!(is_saved(buffer.part) && !values(b), "a copy is for the backward pass");
                quote!(m.bf16(#at, #len))
            }
            Some(Conversion::Widened(of)) => {
                let other = &self.plan.buffers[of];
                let as_said = !is_saved(buffer.part) && is_saved(other.without_bf16.1);
                assert!(as_said && values(of) == values(b), "a copy is of what lasts");
                let (method, of) = (method(format!("widened{suffix}")), Index::from(of));
                quote!(m.#method(#at, #of, #len))
            }
            None if differs => {
                assert!(is_saved(buffer.without_bf16.1), "without a copy it lasts longer");
                let kept = if buffer.params_only { "kept_for_params" } else { "kept" };
                let method = method(format!("{kept}{suffix}"));
                quote!(m.#method(#at, #len))
            }
            None if buffer.cpu_only => {
                assert!(!is_saved(buffer.part) && !values(b), "it is scratch memory");
                quote!(m.on_host(#at, #len))
            }
            None => {
                let place = match is_saved(buffer.part) && buffer.params_only {
                    true => "for_params",
                    false => place(buffer.part),
                };
                let method = method(format!("{place}{suffix}"));
                quote!(m.#method(#at, #len))
            }
        }
    }

    /// The calls of a pass and the ranges that they name, in pieces.
    pub fn pieces(&self, nodes: &[usize]) -> TokenStream {
        let numbered: Vec<(usize, usize)> = nodes.iter().copied().enumerate().collect();
        let code = numbered.chunks(PIECE).map(|piece| {
            let nodes: Vec<usize> = piece.iter().map(|(_, n)| *n).collect();
            let bindings = self.bindings(&nodes);
            let lines = piece.iter().map(|(number, n)| self.line(*number, *n));
            quote!(#bindings #(#lines)*)
        });
        closures(&code.collect::<Vec<_>>())
    }

    /// `let fc1_7 = m.saved(3, batch * 128);`
    pub fn bindings(&self, nodes: &[usize]) -> TokenStream {
        let mut seen = HashSet::new();
        let mut lets = TokenStream::new();
        for n in nodes {
            let node = &self.graph.nodes[*n];
            for value in node.inputs.iter().chain(&node.outputs) {
                if !seen.insert(*value) {
                    continue;
                }
                let Some(place) = self.place(*value) else { continue };
                let var = self.var(*value);
                // Memory that is there only when some gradients are asked for.
                lets.extend(match self.needed_for(*value) {
                    Some(gradients) => {
                        quote!(let #var = if want.#gradients { #place } else { m.nothing() };)
                    }
                    None => quote!(let #var = #place;),
                });
            }
        }
        lets
    }

    /// Which gradients have to be asked for, so that a value's memory is there.
    fn needed_for(&self, value: ValueId) -> Option<Ident> {
        let is_back = self.phase == Phase::Backward;
        let (inputs, params) = match self.plan.homes[value] {
            Home::Buffer(b) => {
                let buffer = &self.plan.buffers[b];
                (buffer.inputs_only, is_back && buffer.params_only)
            }
            _ => (false, false),
        };
        match (inputs, params) {
            (true, _) => Some(quote::format_ident!("inputs")),
            (_, true) => Some(quote::format_ident!("params")),
            _ => None,
        }
    }

    /// Parameters that this function does not depend on have no gradient, and state that it does
    /// not change stays as it is.
    pub fn unreached(&self) -> TokenStream {
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
        let when = |gradients: &str, fills: &[TokenStream]| {
            let gradients = quote::format_ident!("{gradients}");
            (!fills.is_empty()).then(|| quote!(if want.#gradients { #(#fills)* }))
        };
        let (fills, arg_fills) =
            (when("params", &fills.collect::<Vec<_>>()), when("inputs", &arg_fills));
        quote!(#fills #arg_fills)
    }

    /// The parts of the offsets that belong to nested models.
    pub fn nested_offsets(&self) -> TokenStream {
        let mut start = {
            let own = Index::from(HEADER + self.plan.buffers.len());
            quote!(#own)
        };
        let inference = self.form.is_inference();
        let table = if inference { "infer_table" } else { "table" };
        let mut lets = TokenStream::new();
        for callee in callees(self.graph) {
            let (var, len) = (callee.offsets(), callee.item(table));
            lets.extend(quote!(let #var = &offsets[#start..][..#len()];));
            lets.extend(callee.planned(inference));
            start = quote!(#start + #len());
        }
        lets
    }

    /// One runtime call, the operation `number` of the pass.
    pub fn line(&self, number: usize, n: usize) -> TokenStream {
        let (node, number) = (&self.graph.nodes[n], Index::from(number));
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
            outputs: types(&node.outputs),
            input_vars: vars(&node.inputs),
            output_vars: vars(&node.outputs),
            used: node.outputs.iter().map(|o| uses[*o] > 0).collect(),
            scratch,
            item: self.chains.path(&*node.op),
            inference: self.form.is_inference(),
            then: None,
        };
        let call = node.op.emit(&emit);
        let runs = match (node.phase, self.plan.params_only[n]) {
            (Phase::BackwardInputs, _) => Some(quote!(want.inputs)),
            (_, true) => Some(quote!(want.params)),
            _ => None,
        };
        match (runs, node.op.is_conversion()) {
            (Some(runs), true) => quote!(if #runs && m.converts(k, #number) { #call }),
            (Some(runs), false) => quote!(if #runs { k.op(#number); #call }),
            (None, true) => quote!(if m.converts(k, #number) { #call }),
            (None, false) => quote!(k.op(#number); #call),
        }
    }
}
