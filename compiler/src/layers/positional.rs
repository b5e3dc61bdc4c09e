//! `PositionalEncoding`.

use super::usage::Use;
use crate::graph::ValueId;
use crate::lower::{Lowering, Range};
use crate::ops::Mismatch;
use crate::ops::elementwise::Elementwise;
use crate::ops::rotary::Sinusoidal;

/// `x [.., T, D]` plus sines and cosines of the positions, `[T, D]`.
pub(super) fn positional_encoding(l: &mut Use) -> Lowering<ValueId> {
    let found = l.cx.graph.ty(l.x).clone();
    let [.., len, size] = found.dims() else {
        let text = format!("expects [.., positions, features] but receives {found}");
        return Err(l.cx.refuse(Mismatch::new(text), Some(l.x)));
    };
    let (len, mut size) = (len.clone(), size.clone());
    if len.is_run_time() || size.is_run_time() {
        let text = format!("needs fixed numbers of positions and features, but receives {found}");
        return Err(l.cx.refuse(Mismatch::new(text), Some(l.x)));
    }
    if let Some(written) = l.options.take("d_model") {
        let axis = found.shape.rank() - 1;
        size = l.input(&written, axis, "feature", |size| format!("PositionalEncoding({size})"))?;
    }
    let base = l.cx.literal_option(&mut l.options, "base", 10_000.0, Range::Positive)?;
    let table = l.op(Sinusoidal { len, size, base }, &[])?;
    l.op(Elementwise::new("add"), &[l.x, table])
}
