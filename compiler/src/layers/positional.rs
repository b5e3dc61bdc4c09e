//! `PositionalEncoding`.

use super::usage::Use;
use super::{Build, Layer};
use crate::graph::ValueId;
use crate::lower::Lowering;
use crate::ops::Mismatch;
use crate::ops::elementwise::Elementwise;
use crate::ops::rotary::Sinusoidal;
use crate::vocabulary::{Domain, Example, Input, OptionRow, Range};

pub(super) const POSITIONAL_ENCODING: Layer = Layer {
    input: Input::Rows,
    options: &[
        OptionRow::new("d_model", Domain::InputSize, "LAST").or("the last size of the input"),
        OptionRow::number("base", 10_000.0, Range::Positive).drawn("BASE"),
    ],
    shapes: "`x [.., T, D]` → `y`, the same",
    formula: "y[t, 2i] = x[t, 2i] + sin(t / base^(2i/D)), y[t, 2i + 1] = x[t, 2i + 1] + cos(t / \
        base^(2i/D))",
    source: "Vaswani et al., Attention Is All You Need, 2017, section 3.5",
    example: Example::layer(
        "PositionalEncoding(64)",
        "x: [batch, 10, 64]) -> [batch, 10, 64] { self.layer(x) }",
    ),
    ..Layer::new("PositionalEncoding", Build::One(positional_encoding))
};

/// `x [.., T, D]` plus sines and cosines of the positions, `[T, D]`.
fn positional_encoding(l: &mut Use) -> Lowering<ValueId> {
    let found = l.cx.graph.ty(l.x).clone();
    let [.., len, size] = found.dims() else {
        let text = format!("expects [.., positions, features] but receives {found}");
        return Err(l.cx.refuse(Mismatch::new(text), Some(l.x)));
    };
    let (len, mut size) = (len.clone(), size.clone());
    // Samples of a batch are no positions.
    if size.is_run_time() || (len.is_run_time() && found.shape.rank() == 2) {
        let text = format!("expects [batch, positions, features] but receives {found}");
        return Err(l.cx.refuse(Mismatch::new(text), Some(l.x)));
    }
    if let Some(written) = l.options.take("d_model") {
        let axis = found.shape.rank() - 1;
        size = l.input(&written, axis, "feature", |size| format!("PositionalEncoding({size})"))?;
    }
    let base = l.cx.literal_option(&mut l.options, "base")?;
    let table = l.op(Sinusoidal { len, size, base }, &[])?;
    l.op(Elementwise::new("add"), &[l.x, table])
}
