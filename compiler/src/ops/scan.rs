//! A model called for each position of sequences, with the states that it made at the one before.
//!
//! Inside, the steps are the first axis, so each is a range: `x [T, batch, ..]`. The forward pass
//! of training keeps the states before each step and what the model saves of each; the backward
//! pass is the same loop in reverse, with the gradients of the states in two buffers in turns. The
//! code is as long for any number of steps.

mod forward;
pub mod grad;

use std::rc::Rc;

use proc_macro2::TokenStream;

use grad::ScanGrad;

use super::call::{Only, Prepare};
use super::elementwise::{Constant, Elementwise};
use super::{Backward, Callee, Emission, Emit, Mismatch, Op, Prepared, Rule, Transform};
use crate::dim::Dim;
use crate::graph::step::{self, NEEDS_ALL, Step, Stepped};
use crate::graph::{Asked, Kind, Phase, Ty, ValueId};
use crate::hygiene::quote;

/// What an argument of the model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The element of a sequence at each step.
    Step,
    /// The state of this number.
    State(usize),
    /// A value that all steps see: its gradient is the sum of theirs.
    Around,
}

/// `results, states, histories, saved` from `params, state`, the model's arguments in its order (whole
/// sequences, first states, what is around), the lengths of the samples' sequences where there are
/// any, and in inference what the model prepared.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Takes a step of each sequence, the states and what is around; gives a step of each result and
    /// behind these the states.
    pub callee: Callee,
    /// Of the model's arguments.
    pub roles: Vec<Role>,
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
    pub fn states(&self) -> usize {
        self.roles.iter().filter(|role| matches!(role, Role::State(_))).count()
    }

    /// The number of results of each step, beside the states.
    pub fn made(&self) -> usize {
        self.callee.results.len() - self.states()
    }

    /// The place of state `k` among the arguments of the model.
    pub fn place(&self, k: usize) -> usize {
        let place = self.roles.iter().position(|role| *role == Role::State(k));
        place.expect("each state is an argument")
    }

    /// The types of the states.
    fn state_types(&self) -> Vec<Ty> {
        (0..self.states()).map(|k| self.callee.args[self.place(k)].clone()).collect()
    }

    /// The floats of each state.
    fn state_lens(&self) -> Vec<Dim> {
        self.state_types().iter().map(|ty| ty.shape.len()).collect()
    }

    /// The floats of a step of each result.
    fn made_lens(&self) -> Vec<Dim> {
        self.callee.results[..self.made()].iter().map(|ty| ty.shape.len()).collect()
    }

    /// The floats of an argument of the model.
    fn arg_len(&self, arg: usize) -> Dim {
        self.callee.args[arg].shape.len()
    }

    /// The floats of the arguments of a role.
    fn lens_of(&self, role: Role) -> Vec<Dim> {
        let args = self.roles.iter().enumerate().filter(|(_, other)| **other == role);
        args.filter(|(arg, _)| self.is_float(*arg)).map(|(arg, _)| self.arg_len(arg)).collect()
    }

    fn is_float(&self, arg: usize) -> bool {
        self.callee.args[arg].kind == Kind::Float
    }

    /// The number of the input that holds the lengths.
    pub fn lengths_at(&self) -> usize {
        2 + self.roles.len()
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

    /// The shapes of the sequence that belongs to a step's type.
    pub fn sequence(&self, ty: &Ty) -> Ty {
        let dims = [self.seq_len.clone()].into_iter().chain(ty.dims().iter().cloned());
        Ty::float(dims.collect::<Vec<_>>())
    }

    /// Which of the model's class indices an input is.
    fn among_classes(&self, at: usize) -> Option<usize> {
        let arg =
            at.checked_sub(2).filter(|arg| *arg < self.roles.len() && !self.is_float(*arg))?;
        Some((0..arg).filter(|before| !self.is_float(*before)).count())
    }
}

/// Names of variables, `from_0, from_1`, and the expressions that they are.
fn numbered(kind: &str, count: usize) -> Vec<TokenStream> {
    let name = |k| {
        let name = quote::format_ident!("{kind}_{k}");
        quote!(#name)
    };
    (0..count).map(name).collect()
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
        let (made, states) = self.callee.results.split_at(self.made());
        let made = made.iter().map(|ty| self.sequence(ty));
        let times = self.seq_len.plus(&Dim::lit(1));
        let histories = self.state_lens().into_iter().map(|len| saved(times.times(&len)));
        let memory = saved(self.seq_len.times(&self.callee.size_of("saved")));
        Ok(made.chain(states.iter().cloned()).chain(histories).chain([memory]).collect())
    }

    fn callee(&self) -> Option<&Callee> {
        Some(&self.callee)
    }

    fn classes(&self, _: &[Ty], at: usize) -> Option<TokenStream> {
        if let Some(among) = self.among_classes(at) {
            let (bounds, sizes) = (self.callee.item("bounds"), self.callee.sizes());
            return Some(quote!(#bounds(#sizes)[#among]));
        }
        let is_lengths = self.lengths && at == self.lengths_at();
        let end = self.seq_len.plus(&Dim::lit(1)).tokens();
        is_lengths.then_some(end)
    }

    fn lengths(&self, at: usize) -> Option<TokenStream> {
        if let Some(among) = self.among_classes(at) {
            let lengths = self.callee.item("lengths");
            return Some(quote!(#lengths()[#among]));
        }
        (self.lengths && at == self.lengths_at()).then(|| quote!(true))
    }
}

impl Transform for Scan {
    fn backward(&self, b: &mut Backward) {
        let results = self.callee.results.len();
        let zeros = |b: &mut Backward, ty: Ty| {
            let zero = b.op(0, Elementwise::constant(Constant::Literal(0.0)), &[]);
            b.op(0, Elementwise::broadcast(ty.shape), &[zero])
        };
        let d_results: Vec<ValueId> = (0..results)
            .map(|r| {
                let ty = b.ty(b.outputs[r]);
                b.d_outputs[r].unwrap_or_else(|| zeros(b, ty))
            })
            .collect();
        let wanted: Vec<_> = (0..self.roles.len())
            .map(|i| b.wanted[2 + i].map(|phase| Only(phase == Phase::BackwardInputs)))
            .collect();
        let args = self.roles.iter().zip(&b.inputs[2..]);
        let given = args.filter(|(role, _)| !matches!(role, Role::State(_))).map(|(_, v)| *v);
        let lengths = self.lengths.then(|| b.inputs[self.lengths_at()]);
        let inputs: Vec<_> = [b.inputs[0]]
            .into_iter()
            .chain(given)
            .chain(lengths)
            .chain(b.outputs[..self.made()].to_vec())
            .chain(b.outputs[results..].to_vec())
            .chain(d_results)
            .collect();
        let op = ScanGrad { scan: self.clone(), wanted: wanted.clone() };
        let mut gradients = b.ops(0, op, &inputs);
        if self.callee.asked.trains {
            b.set(0, gradients.remove(0));
        }
        let asked = (0..self.roles.len()).filter(|i| wanted[*i].is_some());
        for (i, gradient) in asked.zip(&gradients) {
            b.set(2 + i, *gradient);
        }
    }

    fn asked(&self, wanted: Option<&[Option<Phase>]>) -> Option<Rc<dyn Op>> {
        let args = 2..self.lengths_at();
        let asked = Asked::of(wanted.map(|wanted| (wanted[0], &wanted[args])));
        let callee = Callee { asked, ..self.callee.clone() };
        Some(Rc::new(Self { callee, ..self.clone() }))
    }

    fn step(&self, s: &mut Step) -> Stepped {
        let axis = |role: &Role| (*role == Role::Step).then_some(0);
        let fits = self.roles.iter().zip(&s.axes[2..]).all(|(role, found)| axis(role) == *found);
        if !fits || self.lengths || self.reverse {
            return Err(NEEDS_ALL);
        }
        let caches = self.state_types().into_iter().map(|ty| s.state(ty.shape.0));
        let caches: Vec<_> = caches.collect();
        let inputs: Vec<_> = s.inputs.iter().copied().chain(caches).collect();
        let op = Self { seq_len: step::new(), next: true, ..self.clone() };
        let made = s.apply(op, &inputs);
        let axes = (0..self.callee.results.len()).map(|r| (r < self.made()).then_some(0));
        Ok(made.into_iter().zip(axes).collect())
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
        let (made, states) = (Self::sum(&self.made_lens()), Self::sum(&self.state_lens()));
        let between = if inference { states.clone() } else { Dim::lit(0) };
        let held = if self.lengths { made.plus(&states) } else { Dim::lit(0) };
        let replayed = self.lengths && !inference;
        let steps = Self::sum(&self.lens_of(Role::Step));
        let given = if replayed { steps.plus(&states) } else { Dim::lit(0) };
        Some(self.own_scratch(inference).plus(&between).plus(&held).plus(&given))
    }

    /// The states before each position.
    fn needs_output(&self, output: usize) -> bool {
        let results = self.callee.results.len();
        (results..results + self.states()).contains(&output)
    }

    /// The states before each position are activations as well.
    fn activation(&self, output: &Ty, k: usize) -> Option<Ty> {
        let state = k.checked_sub(self.callee.results.len());
        let state = state.and_then(|at| self.state_types().into_iter().nth(at));
        state.or(Some(output.clone())).filter(|ty| ty.kind == Kind::Float)
    }
}
