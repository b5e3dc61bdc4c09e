//! `Softmax` and `LogSoftmax`.

use super::usage::Use;
use super::{Build, Layer};
use crate::graph::ValueId;
use crate::lower::{Lowering, Options};
use crate::ops::Mismatch;
use crate::ops::softmax::Softmax;
use crate::vocabulary::{Example, OptionRow};

const OPTIONS: &[OptionRow] = &[OptionRow::axis("dim").or("`-1`")];

pub(super) const SOFTMAX: Layer = Layer {
    options: OPTIONS,
    type_params: Some(""),
    shapes: "`x` of any shape → `y`, the same",
    formula: "y = exp(x) / Σ exp(x), with the sum along the axis",
    source: "torch.nn.Softmax",
    example: Example::layer("Softmax()", "x: [batch, 10]) -> [batch, 10] { self.layer(x) }"),
    ..Layer::new("Softmax", Build::One(|l| softmax(l, false)))
};

pub(super) const LOG_SOFTMAX: Layer = Layer {
    options: OPTIONS,
    type_params: Some(""),
    shapes: "`x` of any shape → `y`, the same",
    formula: "y = x − log Σ exp(x), with the sum along the axis",
    source: "torch.nn.LogSoftmax",
    example: Example::layer("LogSoftmax()", "x: [batch, 10]) -> [batch, 10] { self.layer(x) }"),
    ..Layer::new("LogSoftmax", Build::One(|l| softmax(l, true)))
};

fn softmax(l: &mut Use, log: bool) -> Lowering<ValueId> {
    let rank = l.cx.graph.ty(l.x).shape.rank();
    let axis = match l.options.take("dim") {
        Some(expr) => l.cx.ok(Options::axis(&expr, rank))?,
        None if rank > 0 => rank - 1,
        None => {
            let text = "needs an axis, but receives []";
            return Err(l.cx.refuse(Mismatch::new(text), Some(l.x)));
        }
    };
    l.op(Softmax { log, axis }, &[l.x])
}
