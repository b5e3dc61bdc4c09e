//! `RNN`, `LSTM` and `GRU`.

use super::usage::{Use, default_init};
use super::{Build, Layer};
use crate::diagnostics::Diagnostic;
use crate::dim::{Dim, Shape};
use crate::graph::{Kind, ValueId};
use crate::lower::Lowering;
use crate::ops::Mismatch;
use crate::ops::cat::Cat;
use crate::ops::cut::Cut;
use crate::ops::elementwise::Elementwise;
use crate::ops::matmul::{Layout, Matmul};
use crate::ops::narrow::Narrow;
use crate::ops::recurrent::{Cell, Recurrent};
use crate::ops::shaping::Reshape;
use crate::vocabulary::{Domain, Example, Input, OptionRow, Sizes};

const LAYERS: OptionRow = OptionRow::new("num_layers", Domain::Size(1), "COUNT").or("`1`");
const BOTH: OptionRow = OptionRow::flag("bidirectional", false);
const BIAS: OptionRow = OptionRow::flag("bias", true);

/// What the three rows have in common.
const SHARED: Layer = Layer {
    input: Input::Sequence,
    sizes: Some(Sizes { written: "I -> H", sample: "LAST -> SIZE" }),
    options: &[LAYERS, BOTH, BIAS],
    call_options: &[OptionRow::new(
        "lengths",
        Domain::Other("`Classes[batch]`: how many elements of each sequence count"),
        "LENGTHS",
    )
    .or("all")],
    ..Layer::new("", Build::Several(rnn))
};

pub(super) const RNN: Layer = Layer {
    name: "RNN",
    calls: &[&[("x", "")], &[("x", ""), ("h0", "STATE")]],
    options: &[
        LAYERS,
        BOTH,
        BIAS,
        OptionRow::words("nonlinearity", &["tanh", "relu"], "tanh|relu"),
    ],
    params: "for each layer `l0`, `l1`, … and behind it `_reverse`: `weight_ih_l0 [H, I]`, \
        `weight_hh_l0 [H, H]`, `bias_ih_l0 [H]`, `bias_hh_l0 [H]`",
    shapes: "`x [batch, T, I]`, `h0 [batch, H]` → `y [batch, T, H]`, `h [batch, H]`; both \
        directions make `y [batch, T, 2 H]`, several layers or directions states `[batch, n, H]`",
    formula: "hₜ = tanh(xₜ weight_ihᵀ + bias_ih + hₜ₋₁ weight_hhᵀ + bias_hh), y = all of hₜ",
    source: "torch.nn.RNN",
    example: Example::layer(
        "RNN(64 -> 128)",
        "x: [batch, 10, 64]) -> ([batch, 10, 128], [batch, 128]) { self.layer(x) }",
    ),
    ..SHARED
};

pub(super) const LSTM: Layer = Layer {
    name: "LSTM",
    calls: &[&[("x", "")], &[("x", ""), ("h0", "STATE"), ("c0", "STATE")]],
    params: "for each layer `l0`, `l1`, … and behind it `_reverse`: `weight_ih_l0 [4 H, I]`, \
        `weight_hh_l0 [4 H, H]`, `bias_ih_l0 [4 H]`, `bias_hh_l0 [4 H]`",
    shapes: "`x [batch, T, I]`, `h0` and `c0 [batch, H]` → `y [batch, T, H]`, `h` and `c [batch, \
        H]`; both directions make `y [batch, T, 2 H]`, several layers or directions states \
        `[batch, n, H]`",
    formula: "i, f, o = σ(…), g = tanh(…) of xₜ weight_ihᵀ + bias_ih + hₜ₋₁ weight_hhᵀ + bias_hh, \
        cₜ = f cₜ₋₁ + i g, hₜ = o tanh(cₜ), y = all of hₜ",
    source: "torch.nn.LSTM",
    example: Example::layer(
        "LSTM(64 -> 128)",
        "x: [batch, 10, 64]) -> ([batch, 10, 128], [batch, 128], [batch, 128]) { self.layer(x) }",
    ),
    build: Build::Several(|l| recurrent(l, Cell::Lstm)),
    ..SHARED
};

pub(super) const GRU: Layer = Layer {
    name: "GRU",
    calls: &[&[("x", "")], &[("x", ""), ("h0", "STATE")]],
    params: "for each layer `l0`, `l1`, … and behind it `_reverse`: `weight_ih_l0 [3 H, I]`, \
        `weight_hh_l0 [3 H, H]`, `bias_ih_l0 [3 H]`, `bias_hh_l0 [3 H]`",
    shapes: "`x [batch, T, I]`, `h0 [batch, H]` → `y [batch, T, H]`, `h [batch, H]`; both \
        directions make `y [batch, T, 2 H]`, several layers or directions states `[batch, n, H]`",
    formula: "r, z = σ(xₜ Wᵀ + b + hₜ₋₁ Uᵀ + c), n = tanh(xₜ Wₙᵀ + bₙ + r (hₜ₋₁ Uₙᵀ + cₙ)), \
        hₜ = (1 − z) n + z hₜ₋₁, y = all of hₜ; W, U, b and c are the rows of the four parameters",
    source: "torch.nn.GRU",
    example: Example::layer(
        "GRU(64 -> 128)",
        "x: [batch, 10, 64]) -> ([batch, 10, 128], [batch, 128]) { self.layer(x) }",
    ),
    build: Build::Several(|l| recurrent(l, Cell::Gru)),
    ..SHARED
};

/// All layers and directions of a use.
struct Stack {
    cell: Cell,
    hidden: Dim,
    /// How many layers, and directions of each.
    layers: usize,
    directions: usize,
    bias: bool,
    lengths: Option<ValueId>,
}

/// `tanh`, or what the option says.
fn rnn(l: &mut Use) -> Lowering<Vec<ValueId>> {
    let cell = match l.cx.word_option(&mut l.options, "nonlinearity")? {
        "relu" => Cell::Relu,
        _ => Cell::Tanh,
    };
    recurrent(l, cell)
}

/// `x [N, T, I]` and first states `[N, layers · directions, H]`, where there is one, `[N, H]`  → `y
/// [N, T, directions · H]` and the last states. For each layer and direction, with PyTorch's names,
/// `weight_ih_l0 [gates · H, I]`, `weight_hh_l0 [gates · H, H]`, `bias_ih_l0 [gates · H]` and
/// `bias_hh_l0 [gates · H]`.
///
/// States have the samples on their first axis, unlike PyTorch's, since that is where the sizes of
/// a model that are known only at run time are.
fn recurrent(l: &mut Use, cell: Cell) -> Lowering<Vec<ValueId>> {
    let found = l.cx.graph.ty(l.x).clone();
    let [batch, ..] = found.dims() else {
        let text = format!("expects [batch, steps, features] but receives {found}");
        return Err(l.cx.refuse(Mismatch::new(text), Some(l.x)));
    };
    if found.shape.rank() != 3 {
        let text = format!("expects [batch, steps, features] but receives {found}");
        return Err(l.cx.refuse(Mismatch::new(text), Some(l.x)));
    }
    let (_, hidden) = l.sizes(2, "feature")?;
    let layers = match l.options.take_named("num_layers") {
        Some(expr) => match l.dim(&expr)?.as_lit() {
            Some(layers) if layers > 0 => layers,
            _ => {
                let text = "`num_layers` is a number from 1 on";
                return Err(l.cx.model.report(Diagnostic::over(&expr, text)));
            }
        },
        None => 1,
    };
    let directions = if l.flag("bidirectional")? { 2 } else { 1 };
    let bias = l.flag("bias")?;
    let lengths = lengths(l, batch)?;
    let stack = Stack { cell, hidden, layers, directions, bias, lengths };
    let first = stack.first_states(l, batch)?;
    // The gradients of the weights are products over all elements, those behind a sample's end too.
    let x = match lengths {
        Some(lengths) => l.op(Cut, &[l.x, lengths])?,
        None => l.x,
    };
    let (mut x, mut last) = (x, vec![Vec::new(); cell.states()]);
    for layer in 0..layers {
        let mut made = Vec::new();
        for reverse in [false, true].into_iter().take(directions) {
            let at = layer * directions + usize::from(reverse);
            let made_here = stack.direction(l, x, layer, reverse, first.get(at))?;
            made.push(made_here[0]);
            last.iter_mut().zip(&made_here[1..]).for_each(|(all, state)| all.push(*state));
        }
        x = join(l, 2, made)?;
    }
    let mut results = vec![x];
    for states in last {
        results.push(stack.joined(l, batch, states)?);
    }
    Ok(results)
}

/// `lengths = len`, an option of the call.
fn lengths(l: &mut Use, batch: &Dim) -> Lowering<Option<ValueId>> {
    let Some(expr) = l.call.take_named("lengths") else { return Ok(None) };
    let (step, span) = (l.cx.rule.subject.clone(), l.cx.rule.span);
    let value = l.cx.one(&expr)?;
    l.cx.step(&step, span);
    let found = l.cx.graph.ty(value).clone();
    let is_one_each = found.kind == Kind::Classes
        && found.shape.rank() == 1
        && l.cx.rule.equal(&found.dims()[0], batch);
    if is_one_each {
        return Ok(Some(value));
    }
    let text = format!("expects lengths Classes[{batch}] but receives {found}");
    let help = format!("declare them as `Classes[{batch}]`: whole numbers up to the steps");
    Err(l.cx.refuse(Mismatch::new(text).help(help), Some(value)))
}

/// The values one behind the other along an axis; one value as it is.
fn join(l: &mut Use, axis: usize, values: Vec<ValueId>) -> Lowering<ValueId> {
    match values[..] {
        [one] => Ok(one),
        _ => l.op(Cat { axis }, &values),
    }
}

impl Stack {
    fn count(&self) -> usize {
        self.layers * self.directions
    }

    /// The shape of a state of the whole.
    fn state(&self, batch: &Dim) -> Shape {
        let count = (self.count() > 1).then(|| Dim::lit(self.count()));
        let ends = [batch.clone(), self.hidden.clone()];
        let [batch, hidden] = ends;
        Shape([Some(batch), count, Some(hidden)].into_iter().flatten().collect())
    }

    /// The first states of each layer and direction, if they are given.
    fn first_states(&self, l: &mut Use, batch: &Dim) -> Lowering<Vec<Vec<ValueId>>> {
        let others = l.others.clone();
        let shape = self.state(batch);
        for (state, name) in others.iter().zip(["h0", "c0"]) {
            let found = l.cx.graph.ty(*state).clone();
            if !l.cx.rule.equal_shapes(&shape, &found.shape) {
                let text = format!("expects {shape} as `{name}` but receives {found}");
                return Err(l.cx.refuse(Mismatch::new(text), Some(*state)));
            }
        }
        let mut states = vec![Vec::new(); if others.is_empty() { 0 } else { self.count() }];
        for (at, of_one) in states.iter_mut().enumerate() {
            for state in &others {
                of_one.push(match self.count() {
                    1 => *state,
                    _ => {
                        let part = Narrow { axis: 1, start: Dim::lit(at), len: Dim::lit(1) };
                        let part = l.op(part, &[*state])?;
                        l.op(Reshape(Shape(vec![batch.clone(), self.hidden.clone()])), &[part])?
                    }
                });
            }
        }
        Ok(states)
    }

    /// The states of all layers and directions as one value.
    fn joined(&self, l: &mut Use, batch: &Dim, states: Vec<ValueId>) -> Lowering<ValueId> {
        if states.len() == 1 {
            return Ok(states[0]);
        }
        let row = Shape(vec![batch.clone(), Dim::lit(1), self.hidden.clone()]);
        let rows = states.into_iter().map(|state| l.op(Reshape(row.clone()), &[state]));
        let rows = rows.collect::<Lowering<Vec<_>>>()?;
        join(l, 1, rows)
    }

    /// One layer in one direction: its results at all steps, and its last states.
    fn direction(
        &self,
        l: &mut Use,
        x: ValueId,
        layer: usize,
        reverse: bool,
        first: Option<&Vec<ValueId>>,
    ) -> Lowering<Vec<ValueId>> {
        let (cell, hidden) = (self.cell, &self.hidden);
        let [batch, steps, input] = [0, 1, 2].map(|axis| l.cx.graph.ty(x).dims()[axis].clone());
        let rows = hidden.times(&Dim::lit(cell.gates()));
        let suffix = if reverse { "_reverse" } else { "" };
        let mut param = |name: &str, shape: Vec<Dim>| {
            l.param(&format!("{name}_l{layer}{suffix}"), shape, default_init(hidden))
        };
        let of_input = param("weight_ih", vec![rows.clone(), input]);
        let of_state = param("weight_hh", vec![rows.clone(), hidden.clone()]);
        let biases =
            self.bias.then(|| ["bias_ih", "bias_hh"].map(|name| param(name, vec![rows.clone()])));
        // The products of all steps at once.
        let mut x = l.op(Matmul(Layout::NT), &[x, of_input])?;
        // The reset gate of a GRU is between the two biases; other cells add both.
        let separate = biases.filter(|_| cell == Cell::Gru).map(|biases| biases[1]);
        if let Some([of_input, of_state]) = biases {
            let bias = match separate {
                Some(_) => of_input,
                None => l.op(Elementwise::new("add"), &[of_input, of_state])?,
            };
            x = l.op(Elementwise::new("add"), &[x, bias])?;
        }
        let op = Recurrent {
            cell,
            batch,
            seq_len: steps,
            hidden: hidden.clone(),
            reverse,
            bias: separate.is_some(),
            initial: first.is_some(),
            lengths: self.lengths.is_some(),
        };
        let mut inputs = vec![x, of_state];
        inputs.extend(separate);
        inputs.extend(first.into_iter().flatten());
        inputs.extend(self.lengths);
        let mut made = l.cx.ops(op, &inputs)?;
        made.truncate(1 + cell.states());
        Ok(made)
    }
}
