//! The calls of a graph's nodes, and the ranges of memory that they name.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream};
use syn::Index;

use super::calls::{PIECE, closures};
use super::chains::Chains;
use super::function::{HEADER, TARGET, callees};
use super::prepared::Values;
use super::{Function, Model};
use crate::dim::Dim;
use crate::graph::{Dest, Emit, Graph, Kind, Node, Phase, Source, ValueId};
use crate::hygiene::{quote, variable};
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
            match self.plan.buffers[b].is_activation {
                true => quote!(#memory.values(offsets[#at], #len, target.are_halves())),
                false => quote!(#memory.part(offsets[#at], #len)),
            }
        };
        let (own, without_bf16) = (range(b, buffer.part), buffer.without_bf16.1);
        let other = match buffer.conversion {
            Some(Conversion::Half) => quote!(params.part(0, 0)),
            Some(Conversion::Widened(of)) => range(of, self.plan.buffers[of].without_bf16.1),
            None if without_bf16 != buffer.part => range(b, without_bf16),
            None => return own,
        };
        quote!(if target.are_halves_between() { #own } else { #other })
    }

    /// What the memory was planned for. Where kernels are inlined it is a processor with values in floats,
    /// and rustc leaves out what else there is.
    pub fn target(&self) -> TokenStream {
        let (at, of) = (Index::from(TARGET), quote!(::gradiron::__rt::device::Target));
        quote! {
            let target = #of::from_number(if Kernels__::INLINE { 0 } else { offsets[#at] });
            let on_host = Kernels__::ON_HOST;
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

    /// `let fc1_7 = saved.part(offsets[3], batch * 128);`
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
        let arg_fills = match arg_fills.len() {
            0 => quote!(),
            _ => quote!(if want_inputs { #(#arg_fills)* }),
        };
        quote!(#(#fills)* #arg_fills)
    }

    /// The parts of the offsets that belong to nested models.
    pub fn nested_offsets(&self) -> TokenStream {
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
    pub fn line(&self, number: usize, n: usize) -> TokenStream {
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
