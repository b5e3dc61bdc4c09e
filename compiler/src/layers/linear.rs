//! `Linear`.

use super::usage::{Use, default_init};
use crate::graph::ValueId;
use crate::lower::Lowering;
use crate::ops::Mismatch;

/// `y = x wᵀ + b`: `x [.., I]  w [O, I]  b [O]  →  y [.., O]`
pub(super) fn linear(l: &mut Use) -> Lowering<ValueId> {
    let rank = l.cx.graph.ty(l.x).shape.rank();
    if rank == 0 {
        let text = "expects [.., features] but receives []";
        let error = Mismatch::new(text).help("make an axis first: `x.reshape([1])`");
        return Err(l.cx.refuse(error, Some(l.x)));
    }
    let (input, output) = l.sizes(rank - 1, "feature")?;
    let shape = vec![output.clone(), input.clone()];
    let w = match l.options.take_named("tied") {
        Some(owner) => l.tied(&owner, &shape)?,
        None => l.param("weight", shape, default_init(&input)),
    };
    let has_bias = l.flag("bias", true)?;
    let b = has_bias.then(|| l.param("bias", vec![output], default_init(&input)));
    l.affine(l.x, w, b)
}
