//! A model called for each position of a sequence, with the results at the one before.
//!
//! Inside, the steps are the first axis, so each is a range: `x [T, batch, ..]`. The forward pass
//! of training keeps the states before each step and what the model saves of each; the backward
//! pass is the same loop in reverse, with the gradients of the states in two buffers in turns. The
//! code is as long for any number of steps.

pub mod grad;

use std::rc::Rc;

use proc_macro2::TokenStream;

use grad::ScanGrad;

use super::call::{Only, Prepare};
use super::elementwise::{Constant, Elementwise};
use super::{Backward, Callee, Emission, Emit, Mismatch, Op, Prepared, Rule, Transform};
use crate::dim::Dim;
use crate::graph::callee::Given;
use crate::graph::step::{self, NEEDS_ALL, Step, Stepped};
use crate::graph::{Asked, Kind, Phase, Ty, ValueId};
use crate::hygiene::quote;

/// `y, states, histories, saved` from `params, state, x, first states`, the lengths of the samples'
/// sequences where there are any, and in inference what the model prepared.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Takes a step of `x` and the states, gives a step of `y` and the states.
    pub callee: Callee,
    /// The number of positions.
    pub seq_len: Dim,
    pub lengths: bool,
    /// From the last step to the first.
    pub reverse: bool,
    /// Whether the states before lie in caches, which are the last inputs.
    pub next: bool,
}

/// Parts of scratch memory, one behind the other.
struct Scratch {
    at: Dim,
    memory: TokenStream,
}

impl Scratch {
    fn new(memory: &TokenStream) -> Self {
        Self { at: Dim::lit(0), memory: memory.clone() }
    }

    fn take(&mut self, len: &Dim) -> TokenStream {
        let (memory, at, size) = (&self.memory, self.at.tokens(), len.tokens());
        let part = quote!(#memory.part(#at, #size));
        self.at = self.at.plus(len);
        part
    }
}

impl Scan {
    /// The number of states.
    fn states(&self) -> usize {
        self.callee.args.len() - 1
    }

    /// The floats of a step of `x`, of a step of `y`, and of each state.
    fn lens(&self) -> (Dim, Dim, Vec<Dim>) {
        let len = |ty: &Ty| ty.shape.len();
        let states = self.callee.args[1..].iter().map(len).collect();
        (len(&self.callee.args[0]), len(&self.callee.results[0]), states)
    }

    /// The number of the input that holds the lengths.
    fn lengths_at(&self) -> usize {
        3 + self.states()
    }

    /// The step that turn `turn` of the loop computes.
    fn turned(&self, turn: &TokenStream) -> TokenStream {
        match self.reverse {
            true => quote!(steps - 1 - #turn),
            false => quote!(#turn),
        }
    }

    /// What the model needs while it runs, beside the parts of this loop.
    fn own_scratch(&self, inference: bool) -> Dim {
        self.callee.size_of(if inference { "infer_scratch" } else { "scratch" })
    }

    /// What the model is given at a step of training: `now`, but where a sample's sequence has
    /// ended, what it was given at its first step, of which `all` has the place. So the model
    /// computes nothing from what lies behind an end, and its saved memory and results are such as
    /// a run made before: gradients of zeros there stay zeros in the products over all samples.
    fn replay(
        &self,
        scratch: &mut Scratch,
        lengths: &TokenStream,
        len: &Dim,
        [now, all]: [&TokenStream; 2],
        first: &TokenStream,
    ) -> TokenStream {
        let part = scratch.take(len);
        quote! {{
            k.replay(#part, #now, #all, #lengths, step, __private::padding::First::#first);
            #part
        }}
    }

    /// The first step of a sample's own, among steps.
    fn first_step(&self) -> TokenStream {
        if self.reverse { quote!(Last) } else { quote!(At(0)) }
    }

    fn sum(lens: &[Dim]) -> Dim {
        lens.iter().fold(Dim::lit(0), |sum, len| sum.plus(len))
    }

    /// One call of the forward pass: into `to` by way of `scratch` where sequences end earlier.
    #[allow(clippy::too_many_arguments)]
    fn held(
        &self,
        scratch: &mut Scratch,
        e: &Emit,
        y: &TokenStream,
        from: &[TokenStream],
        to: &[TokenStream],
        call: impl FnOnce(TokenStream, Vec<TokenStream>) -> TokenStream,
    ) -> TokenStream {
        if !self.lengths {
            return call(y.clone(), to.to_vec());
        }
        let (_, y_len, lens) = self.lens();
        let new_y = scratch.take(&y_len);
        let new: Vec<_> = lens.iter().map(|len| scratch.take(len)).collect();
        let lengths = e.x(self.lengths_at());
        let run = call(new_y.clone(), new.clone());
        quote! {
            #run
            k.advance(#y, #new_y, #y.part(0, 0), #lengths, step);
            #(k.advance(#to, #new, #from, #lengths, step);)*
        }
    }

    fn emit_infer(&self, e: &Emit) -> TokenStream {
        let (params, state, x, y) = (e.x(0), e.x(1), e.x(2), e.y(0));
        let (x_len, y_len, lens) = self.lens();
        let [x_len, y_len] = [x_len, y_len].map(|len| len.tokens());
        let (steps, step) = (self.seq_len.tokens(), self.turned(&quote!(i)));
        let mut scratch = Scratch::new(e.scratch());
        let own = scratch.take(&self.own_scratch(true));
        let between: Vec<_> = lens.iter().map(|len| scratch.take(len)).collect();
        let prepared = &e.input_vars[e.input_vars.len() - 1];
        let firsts = &e.input_vars[3..3 + self.states()];
        let caches = &e.input_vars[self.lengths_at() + usize::from(self.lengths)..];
        // Two values of a state are enough: the last one and one between, taken in turns.
        let last = &e.output_vars[1..=self.states()];
        let begin = |k: usize| match self.next {
            true => caches[k].clone(),
            false => firsts[k].clone(),
        };
        let at = |k: usize, i: TokenStream| {
            let (begin, last, between) = (begin(k), &last[k], &between[k]);
            quote! {
                if #i == 0 { #begin } else if (steps - #i) % 2 == 0 { #last } else { #between }
            }
        };
        let from: Vec<_> = (0..lens.len()).map(|k| at(k, quote!(i))).collect();
        let to: Vec<_> = (0..lens.len()).map(|k| at(k, quote!((i + 1)))).collect();
        let names = |kind: &str| -> Vec<_> {
            (0..lens.len()).map(|k| quote::format_ident!("{kind}_{k}")).collect()
        };
        let (froms, tos) = (names("from"), names("to"));
        let [from_vars, to_vars] = [&froms, &tos]
            .map(|names| -> Vec<TokenStream> { names.iter().map(|name| quote!(#name)).collect() });
        let run = self.held(&mut scratch, e, &quote!(y), &from_vars, &to_vars, |y, to| {
            let given = Given {
                params: params.clone(),
                state: state.clone(),
                args: [quote!(x)].into_iter().chain(from_vars.clone()).collect(),
                classes: Vec::new(),
                results: [y].into_iter().chain(to).collect(),
                scratch: own,
            };
            self.callee.infer(&given, [&quote!(m.nothing()), prepared])
        });
        let (before, after) = match self.next {
            true => {
                let past = step::past().tokens();
                let caches = &caches[..self.states()];
                let first = quote!(if #past == 0 { #(k.copy(#caches, #firsts);)* });
                (first, quote!(#(k.copy(#caches, #last);)*))
            }
            false => (quote!(), quote!()),
        };
        quote! {{
            let steps = #steps;
            #before
            for i in 0..steps {
                let step = #step;
                let (x, y) = (#x.part(step * #x_len, #x_len), #y.part(step * #y_len, #y_len));
                #(let #froms = #from;)*
                #(let #tos = #to;)*
                k.item(step);
                #run
            }
            #after
        }}
    }

    fn emit_train(&self, e: &Emit) -> TokenStream {
        let (params, state, x, y) = (e.x(0), e.x(1), e.x(2), e.y(0));
        let (x_len, y_len, lens) = self.lens();
        let [x_len, y_len] = [x_len, y_len].map(|len| len.tokens());
        let (steps, step) = (self.seq_len.tokens(), self.turned(&quote!(i)));
        let mut scratch = Scratch::new(e.scratch());
        let own = scratch.take(&self.own_scratch(false));
        let states = self.states();
        let firsts = &e.input_vars[3..3 + states];
        let last = &e.output_vars[1..=states];
        let histories = &e.output_vars[1 + states..][..states];
        let at = 1 + 2 * states;
        let saved = if e.used[at] { e.y(at).clone() } else { quote!(m.nothing()) };
        let memory = self.callee.size_of("saved").tokens();
        let lens: Vec<_> = lens.iter().map(Dim::tokens).collect();
        let at = |i: TokenStream| -> Vec<TokenStream> {
            let parts = histories.iter().zip(&lens);
            parts.map(|(history, len)| quote!(#history.part((#i) * #len, #len))).collect()
        };
        let (from, to) = (at(quote!(i)), at(quote!(i + 1)));
        let given = if self.lengths {
            let (lengths, x_size, sizes) = (e.x(self.lengths_at()), self.lens().0, self.lens().2);
            let first = self.first_step();
            let x = self.replay(&mut scratch, lengths, &x_size, [&quote!(x), x], &first);
            let states = (0..states).map(|k| {
                let first = quote!(At(0));
                self.replay(&mut scratch, lengths, &sizes[k], [&from[k], &firsts[k]], &first)
            });
            [x].into_iter().chain(states).collect()
        } else {
            [quote!(x)].into_iter().chain(from.clone()).collect::<Vec<_>>()
        };
        let run = self.held(&mut scratch, e, &quote!(y), &from, &to, |y, to| {
            let args = (0..given.len()).map(|i| quote!(given[#i])).collect();
            let run = Given {
                params: params.clone(),
                state: state.clone(),
                args,
                classes: Vec::new(),
                results: [y].into_iter().chain(to).collect(),
                scratch: own,
            };
            let saved = quote!(#saved.part(i * #memory, #memory));
            let run = self.callee.forward(&run, [&saved, &quote!(y.part(0, 0))]);
            quote!(let given = [#(#given),*]; #run)
        });
        let ends = at(quote!(steps));
        let starts = at(quote!(0));
        quote! {{
            let steps = #steps;
            #(k.copy(#starts, #firsts);)*
            for i in 0..steps {
                let step = #step;
                let (x, y) = (#x.part(step * #x_len, #x_len), #y.part(step * #y_len, #y_len));
                k.item(step);
                #run
            }
            #(k.copy(#last, #ends);)*
        }}
    }

    /// The shapes of the sequence that belongs to a step's type.
    fn sequence(&self, ty: &Ty) -> Ty {
        let dims = [self.seq_len.clone()].into_iter().chain(ty.dims().iter().cloned());
        Ty::float(dims.collect::<Vec<_>>())
    }
}

impl Op for Scan {
    fn name(&self) -> String {
        let reverse = if self.reverse { ", reverse" } else { "" };
        let next = if self.next { ".next" } else { "" };
        let Callee { text, function, .. } = &self.callee;
        format!("scan{next} {text}::{function} x {}{reverse}", self.seq_len)
    }

    fn infer(&self, _: &mut Rule, _: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let saved = |size: Dim| Ty { kind: Kind::Saved, ..Ty::float([size]) };
        let y = self.sequence(&self.callee.results[0]);
        let states = self.callee.results[1..].iter().cloned();
        let (_, _, lens) = self.lens();
        let times = self.seq_len.plus(&Dim::lit(1));
        let histories = lens.iter().map(|len| saved(times.times(len)));
        let memory = saved(self.seq_len.times(&self.callee.size_of("saved")));
        Ok([y].into_iter().chain(states).chain(histories).chain([memory]).collect())
    }

    fn callee(&self) -> Option<&Callee> {
        Some(&self.callee)
    }

    fn classes(&self, _: &[Ty], at: usize) -> Option<TokenStream> {
        let is_lengths = self.lengths && at == self.lengths_at();
        let end = self.seq_len.plus(&Dim::lit(1)).tokens();
        is_lengths.then_some(end)
    }

    fn lengths(&self, at: usize) -> Option<TokenStream> {
        (self.lengths && at == self.lengths_at()).then(|| quote!(true))
    }
}

impl Transform for Scan {
    fn backward(&self, b: &mut Backward) {
        let states = self.states();
        let zeros = |b: &mut Backward, ty: Ty| {
            let zero = b.op(0, Elementwise::constant(Constant::Literal(0.0)), &[]);
            b.op(0, Elementwise::broadcast(ty.shape), &[zero])
        };
        let d_results: Vec<ValueId> = (0..=states)
            .map(|r| {
                let ty = b.ty(b.outputs[r]);
                b.d_outputs[r].unwrap_or_else(|| zeros(b, ty))
            })
            .collect();
        let wanted: Vec<_> = (0..=states)
            .map(|i| b.wanted[2 + i].map(|phase| Only(phase == Phase::BackwardInputs)))
            .collect();
        let lengths = self.lengths.then(|| b.inputs[self.lengths_at()]);
        let inputs: Vec<_> = [b.inputs[0], b.inputs[2]]
            .into_iter()
            .chain(lengths)
            .chain([b.outputs[0]])
            .chain(b.outputs[1 + states..].to_vec())
            .chain(d_results)
            .collect();
        let op = ScanGrad { scan: self.clone(), wanted: wanted.clone() };
        let mut gradients = b.ops(0, op, &inputs);
        if self.callee.asked.trains {
            b.set(0, gradients.remove(0));
        }
        let asked = (0..=states).filter(|i| wanted[*i].is_some());
        for (i, gradient) in asked.zip(&gradients) {
            b.set(2 + i, *gradient);
        }
    }

    fn asked(&self, wanted: Option<&[Option<Phase>]>) -> Option<Rc<dyn Op>> {
        let args = 2..3 + self.states();
        let asked = Asked::of(wanted.map(|wanted| (wanted[0], &wanted[args])));
        let callee = Callee { asked, ..self.callee.clone() };
        Some(Rc::new(Self { callee, ..self.clone() }))
    }

    fn step(&self, s: &mut Step) -> Stepped {
        let states = 3..3 + self.states();
        let known = s.axes[2] == Some(0) && states.into_iter().all(|i| s.axes[i].is_none());
        if !known || self.lengths || self.reverse {
            return Err(NEEDS_ALL);
        }
        let caches = self.callee.args[1..].iter().map(|ty| s.state(ty.shape.0.clone()));
        let caches: Vec<_> = caches.collect();
        let inputs: Vec<_> = s.inputs.iter().copied().chain(caches).collect();
        let op = Self { seq_len: step::new(), next: true, ..self.clone() };
        let made = s.apply(op, &inputs);
        let axes = [Some(0)].into_iter().chain(std::iter::repeat(None));
        Ok(made.into_iter().zip(axes).take(1 + self.states()).collect())
    }

    fn prepared(&self, _: &[Ty]) -> Option<Prepared> {
        let (first, then) = (Prepare(self.callee.clone()), self.clone());
        Some(Prepared { reads: vec![0, 1], first: Rc::new(first), then: Rc::new(then) })
    }
}

impl Emission for Scan {
    fn emit(&self, e: &Emit) -> TokenStream {
        if e.inference { self.emit_infer(e) } else { self.emit_train(e) }
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        self.seq_len.times(&self.callee.size_of("flops"))
    }

    fn scratch(&self, inference: bool) -> Option<Dim> {
        let (x, y, lens) = self.lens();
        let states = Self::sum(&lens);
        let between = if inference { states.clone() } else { Dim::lit(0) };
        let held = if self.lengths { y.plus(&states) } else { Dim::lit(0) };
        let replayed = self.lengths && !inference;
        let given = if replayed { x.plus(&states) } else { Dim::lit(0) };
        Some(self.own_scratch(inference).plus(&between).plus(&held).plus(&given))
    }

    /// The states before each position.
    fn needs_output(&self, output: usize) -> bool {
        (1 + self.states()..1 + 2 * self.states()).contains(&output)
    }

    /// The states before each position are activations as well.
    fn activation(&self, output: &Ty, k: usize) -> Option<Ty> {
        let state = k.checked_sub(1 + self.states()).and_then(|at| self.callee.args.get(1 + at));
        state.or(Some(output)).filter(|ty| ty.kind == Kind::Float).cloned()
    }
}
