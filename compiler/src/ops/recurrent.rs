//! Recurrent layers in one direction, behind the products of their inputs.

use proc_macro2::TokenStream;

use super::matmul::{Layout, Matmul};
use super::reduce::{self, Reduce};
use super::{Backward, Emission, Emit, Mismatch, Op, Rule, Transform, room, variant};
use crate::dim::{Dim, product};
use crate::graph::step::{self, NEEDS_ALL, Step, Stepped};
use crate::graph::{Kind, Ty, ValueId};
use crate::hygiene::quote;

/// What computes the next state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    Tanh,
    Relu,
    Lstm,
    Gru,
}

impl Cell {
    /// Rows of the weights for each float of the state.
    pub fn gates(self) -> usize {
        match self {
            Self::Tanh | Self::Relu => 1,
            Self::Lstm => 4,
            Self::Gru => 3,
        }
    }

    /// How many tensors are the state.
    pub fn states(self) -> usize {
        if self == Self::Lstm { 2 } else { 1 }
    }

    /// Whether more than the gates is kept of a step.
    fn keeps_inner(self) -> bool {
        matches!(self, Self::Lstm | Self::Gru)
    }
}

/// `x [batch, seq_len, gates · hidden]  w [gates · hidden, hidden]`, a bias, first states and
/// lengths where there are some  →  `y [batch, seq_len, hidden]`, the last states `[batch,
/// hidden]`, and what the backward pass needs.
#[derive(Clone, Debug)]
pub struct Recurrent {
    pub cell: Cell,
    pub batch: Dim,
    pub seq_len: Dim,
    pub hidden: Dim,
    pub reverse: bool,
    /// Whether the products with `w` have a bias of their own.
    pub bias: bool,
    /// Whether the first states are given.
    pub initial: bool,
    pub lengths: bool,
}

/// The next positions of sequences, whose states are in caches, the last inputs.
#[derive(Clone, Debug)]
pub struct Next(pub Recurrent);

/// The gradients of `x`, of a GRU's products with `w`, and of the first states, from what was kept,
/// `w`, an LSTM's first cells, the lengths, and the gradients of `y` and of the last states.
#[derive(Clone, Debug)]
pub struct RecurrentGrad {
    pub of: Recurrent,
    /// Which gradients there are: of `y`, and of each state.
    pub upstream: [bool; 3],
    /// Whether the gradients of the first states are asked for.
    pub first: bool,
}

impl Recurrent {
    fn width(&self) -> Dim {
        self.hidden.times(&Dim::lit(self.cell.gates()))
    }

    fn of_state(&self) -> Ty {
        Ty::float([self.batch.clone(), self.hidden.clone()])
    }

    fn of_sequence(&self, width: Dim) -> Ty {
        Ty::float([self.batch.clone(), self.seq_len.clone(), width])
    }

    fn spec(&self) -> TokenStream {
        let (room, cell, reverse) = (room("recurrent"), variant(&self.cell), self.reverse);
        let [batch, steps, hidden] = [&self.batch, &self.seq_len, &self.hidden].map(Dim::tokens);
        quote! {
            #room::RecurrentSpec {
                cell: #room::Cell::#cell, batch: #batch, steps: #steps, hidden: #hidden,
                reverse: #reverse,
            }
        }
    }

    fn needed(&self) -> Dim {
        let Self { cell, batch, seq_len, hidden, .. } = self;
        let text = format!("scratch of {cell:?} [{batch}, {seq_len}, {hidden}]");
        let spec = self.spec();
        Dim::expr(text, quote!(#spec.scratch()))
    }

    /// Where the inputs behind the weights are: the bias, the first states, the lengths.
    fn places(&self) -> (Option<usize>, Option<usize>, Option<usize>) {
        let mut next = 2;
        let mut place = |present: bool, count: usize| {
            let at = next;
            next += if present { count } else { 0 };
            present.then_some(at)
        };
        let bias = place(self.bias, 1);
        let first = place(self.initial, self.cell.states());
        (bias, first, place(self.lengths, 1))
    }

    /// The first of the outputs that are kept.
    fn kept(&self) -> usize {
        1 + self.cell.states()
    }

    /// At each position: a product, and some operations on each gate.
    fn products(&self) -> Dim {
        product(&[self.batch.clone(), self.seq_len.clone(), self.width(), self.hidden.clone()])
            .times(&Dim::lit(2))
    }
}

fn option(value: Option<&TokenStream>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

impl Op for Recurrent {
    fn name(&self) -> String {
        let reverse = if self.reverse { "<reverse>" } else { "" };
        format!("recurrent.{:?}{reverse}", self.cell).to_lowercase()
    }

    fn infer(&self, _: &mut Rule, _: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let mut made = vec![self.of_sequence(self.hidden.clone())];
        made.extend(vec![self.of_state(); self.cell.states()]);
        let inner = self.cell.keeps_inner().then(|| self.hidden.clone());
        let kept = [self.width(), self.hidden.clone()].into_iter().chain(inner);
        made.extend(kept.map(|width| Ty { kind: Kind::Saved, ..self.of_sequence(width) }));
        Ok(made)
    }

    fn classes(&self, _: &[Ty], _: usize) -> Option<TokenStream> {
        Some(self.seq_len.plus(&Dim::lit(1)).tokens())
    }

    fn lengths(&self, _: usize) -> Option<TokenStream> {
        Some(quote!(true))
    }
}

impl Transform for Recurrent {
    fn backward(&self, b: &mut Backward) {
        // All of them are computed at once, in the phase of the first that needs one.
        let asked = (0..b.inputs.len()).filter(|i| b.wants(*i)).min_by_key(|i| b.wanted[*i]);
        let Some(asked) = asked else { return };
        let (bias, first, lengths) = self.places();
        let states = self.cell.states();
        let mut upstream = [false; 3];
        for (has, d) in upstream.iter_mut().zip(&b.d_outputs[..=states]) {
            *has = d.is_some();
        }
        let asks_first = first.is_some_and(|first| (first..first + states).any(|i| b.wants(i)));
        let grad = RecurrentGrad { of: self.clone(), upstream, first: asks_first };
        let cells = first.filter(|_| self.cell == Cell::Lstm).map(|first| b.inputs[first + 1]);
        let mut inputs: Vec<ValueId> = b.outputs[self.kept()..].to_vec();
        inputs.push(b.inputs[1]);
        inputs.extend(cells);
        inputs.extend(lengths.map(|at| b.inputs[at]));
        inputs.extend(b.d_outputs[..=states].iter().flatten());
        let made = b.ops(asked, grad, &inputs);
        let mut made = made.into_iter();
        let mut next = || made.next().expect("the gradients are as many as its shape rule says");
        let d_x = next();
        let d_products = if self.cell == Cell::Gru { next() } else { d_x };
        if b.wants(0) {
            b.set(0, d_x);
        }
        if b.wants(1) {
            let before = b.outputs[self.kept() + 1];
            let d_w = b.op(1, Matmul(Layout::TN), &[d_products, before]);
            b.set(1, d_w);
        }
        if let Some(bias) = bias.filter(|bias| b.wants(*bias)) {
            let sum = Reduce { kind: reduce::Kind::Sum, axes: vec![0, 1] };
            let d_b = b.op(bias, sum, &[d_products]);
            b.set(bias, d_b);
        }
        if let Some(first) = first.filter(|_| asks_first) {
            for i in first..first + states {
                let d_state = next();
                if b.wants(i) {
                    b.set(i, d_state);
                }
            }
        }
    }

    fn step(&self, s: &mut Step) -> Stepped {
        if s.only(0)? != 1 || self.reverse || self.lengths {
            return Err(NEEDS_ALL);
        }
        let states = self.cell.states();
        let caches: Vec<_> = (0..states).map(|_| s.state(self.of_state().shape.0)).collect();
        let inputs: Vec<_> = s.inputs.iter().copied().chain(caches).collect();
        let made = s.apply(Next(Self { seq_len: step::new(), ..self.clone() }), &inputs);
        let axes = [Some(1)].into_iter().chain(std::iter::repeat(None));
        Ok(made.into_iter().zip(axes).take(1 + states).collect())
    }
}

impl Emission for Recurrent {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (room, spec, scratch) = (room("recurrent"), self.spec(), e.scratch());
        let (bias, first, lengths) = self.places();
        let input = |at: Option<usize>| option(at.map(|at| e.x(at)));
        let is_lstm = self.cell == Cell::Lstm;
        let (x, w, b, h) = (e.x(0), e.x(1), input(bias), input(first));
        let c = input(first.filter(|_| is_lstm).map(|first| first + 1));
        let lengths = input(lengths);
        let (y, last, cells) = (e.y(0), e.y(1), option(is_lstm.then(|| e.y(2))));
        let kept = self.kept();
        let history = e.used[kept].then(|| {
            let (gates, before) = (e.y(kept), e.y(kept + 1));
            let inner = option(self.cell.keeps_inner().then(|| e.y(kept + 2)));
            quote!(#room::Saved { gates: #gates, before: #before, inner: #inner })
        });
        let history = option(history.as_ref());
        quote! {
            k.recurrent(
                #room::Outputs { y: #y, h: #last, c: #cells },
                #history,
                #room::Inputs { x: #x, w: #w, b: #b, h: #h, c: #c, lengths: #lengths },
                #scratch,
                #spec,
            );
        }
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        self.products()
    }

    fn scratch(&self, _: bool) -> Option<Dim> {
        Some(self.needed())
    }

    /// The gates are computed from their products in place.
    fn in_place(&self, output: usize, input: usize) -> bool {
        output == self.kept() && input == 0
    }
}

impl Op for Next {
    fn name(&self) -> String {
        format!("{}.next", self.0.name())
    }

    fn infer(&self, rule: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let mut made = self.0.infer(rule, inputs)?;
        made.truncate(self.0.kept());
        Ok(made)
    }
}

impl Transform for Next {}

impl Emission for Next {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (room, spec, scratch) = (room("recurrent"), self.0.spec(), e.scratch());
        let (bias, first, _) = self.0.places();
        let states = self.0.cell.states();
        let caches = &e.input_vars[e.input_vars.len() - states..];
        let begin = (0..states).map(|k| {
            let cache = &caches[k];
            match first.map(|first| e.x(first + k)) {
                Some(first) => quote!(k.copy(#cache, #first);),
                None => quote!(k.fill(#cache, 0.0);),
            }
        });
        let (x, w, b) = (e.x(0), e.x(1), option(bias.map(|at| e.x(at))));
        let (h, c) = (&caches[0], option(caches.get(1)));
        let (y, last, cells) = (e.y(0), e.y(1), option(e.output_vars.get(2)));
        let (made, past, none) = (&e.output_vars[1..=states], step::past().tokens(), option(None));
        quote! {
            if #past == 0 { #(#begin)* }
            k.recurrent(
                #room::Outputs { y: #y, h: #last, c: #cells },
                #none,
                #room::Inputs {
                    x: #x, w: #w, b: #b, h: ::core::option::Option::Some(#h), c: #c, lengths: #none,
                },
                #scratch,
                #spec,
            );
            #(k.copy(#caches, #made);)*
        }
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        self.0.products()
    }

    fn scratch(&self, _: bool) -> Option<Dim> {
        Some(self.0.needed())
    }
}

impl Op for RecurrentGrad {
    fn name(&self) -> String {
        format!("{}.grad", self.of.name())
    }

    fn infer(&self, _: &mut Rule, _: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let of_x = self.of.of_sequence(self.of.width());
        let products = if self.of.cell == Cell::Gru { 2 } else { 1 };
        let states = if self.first { self.of.cell.states() } else { 0 };
        Ok([vec![of_x; products], vec![self.of.of_state(); states]].concat())
    }
}

impl Transform for RecurrentGrad {}

impl Emission for RecurrentGrad {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (room, spec, scratch) = (room("recurrent"), self.of.spec(), e.scratch());
        let (cell, is_lstm) = (self.of.cell, self.of.cell == Cell::Lstm);
        let mut inputs = e.input_vars.iter();
        let mut take = |there: bool| there.then(|| inputs.next()).flatten();
        let (gates, before) = (take(true), take(true));
        let inner = option(take(cell.keeps_inner()));
        let w = take(true);
        let c = option(take(is_lstm && self.of.initial));
        let lengths = option(take(self.of.lengths));
        let [d_y, d_h, d_c] = self.upstream.map(|there| option(take(there)));
        let mut outputs = e.output_vars.iter();
        let mut make = |there: bool| there.then(|| outputs.next()).flatten();
        let d_x = make(true);
        let products = option(make(cell == Cell::Gru));
        let d_first = option(make(self.first));
        let d_cells = option(make(self.first && is_lstm));
        let none = option(None);
        quote! {
            k.recurrent_grad(
                #room::InputGrads { x: #d_x, products: #products, h: #d_first, c: #d_cells },
                #room::OutputGrads { y: #d_y, h: #d_h, c: #d_c },
                #room::Saved { gates: #gates, before: #before, inner: #inner },
                #room::Inputs { x: #gates, w: #w, b: #none, h: #none, c: #c, lengths: #lengths },
                #scratch,
                #spec,
            );
        }
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        self.of.products()
    }

    fn scratch(&self, _: bool) -> Option<Dim> {
        Some(self.of.needed())
    }

    /// The gradients of the gates take their place.
    fn in_place(&self, output: usize, input: usize) -> bool {
        output == 0 && input == 0
    }
}
