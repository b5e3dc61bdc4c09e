//! `Softmax` and `LogSoftmax`.

use super::usage::Use;
use crate::graph::ValueId;
use crate::lower::{Lowering, Options};
use crate::ops::Mismatch;
use crate::ops::softmax::Softmax;

pub(super) fn softmax(l: &mut Use, log: bool) -> Lowering<ValueId> {
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
