//! `LayerNorm` and `RMSNorm`.

use quote::quote;
use syn::Expr;

use super::usage::Use;
use super::{Build, Layer};
use crate::dim::Dim;
use crate::graph::ValueId;
use crate::lower::{Lowering, text_of};
use crate::ops::Mismatch;
use crate::ops::layer_norm::{self, LayerNorm};
use crate::vocabulary::{Domain, Example, Input, OptionRow, Range};

const SHAPE: OptionRow = OptionRow::new(
    "normalized_shape",
    Domain::Other("a size, or a list of the last sizes, `[H, W]`"),
    "LASTS",
)
.or("the last size of the input");

pub(super) const LAYER_NORM: Layer = Layer {
    input: Input::Rows,
    options: &[
        SHAPE,
        OptionRow::number("eps", 1e-5, Range::Positive).drawn("SMALL"),
        OptionRow::flag("elementwise_affine", true),
        OptionRow::flag("bias", true),
    ],
    type_params: Some("D"),
    params: "`weight [D]`, `bias [D]`",
    shapes: "`x [.., D]` → `y`, the same",
    formula: "y = (x − mean) / √(var + eps) · weight + bias, with the mean and the variance of \
        each row",
    source: "torch.nn.LayerNorm",
    example: Example::layer(
        "LayerNorm(64)",
        "x: [batch, 10, 64]) -> [batch, 10, 64] { self.layer(x) }",
    ),
    ..Layer::new("LayerNorm", Build::One(|l| layer_norm(l, true)))
};

pub(super) const RMS_NORM: Layer = Layer {
    input: Input::Rows,
    options: &[
        SHAPE,
        OptionRow::number("eps", f32::EPSILON as f64, Range::Positive).drawn("SMALL"),
        OptionRow::flag("elementwise_affine", true),
    ],
    type_params: Some("D"),
    params: "`weight [D]`",
    shapes: "`x [.., D]` → `y`, the same",
    formula: "y = x / √(mean(x²) + eps) · weight, with the mean of each row",
    source: "torch.nn.RMSNorm",
    example: Example::layer(
        "RMSNorm(64)",
        "x: [batch, 10, 64]) -> [batch, 10, 64] { self.layer(x) }",
    ),
    ..Layer::new("RMSNorm", Build::One(|l| layer_norm(l, false)))
};

/// `x [.., D]`, or `[.., H, W]` for `LayerNorm([H, W])`; `w` and `b` have the shape of what is
/// normalised. Without `centred`, the root mean square is 1 and the mean stays.
fn layer_norm(l: &mut Use, centred: bool) -> Lowering<ValueId> {
    let found = l.cx.graph.ty(l.x).clone();
    let (written, is_list) = match l.options.take("normalized_shape") {
        Some(Expr::Array(list)) => (list.elems.into_iter().collect(), true),
        Some(one) => (vec![one], false),
        None => (Vec::new(), false),
    };
    let axes = written.len().max(1);
    let Some(first) = found.shape.rank().checked_sub(axes) else {
        let text = format!("normalises {axes} axes, but receives {found}");
        return Err(l.cx.refuse(Mismatch::new(text), Some(l.x)));
    };
    if let Some(size) = found.dims()[first..].iter().find(|dim| dim.is_run_time()) {
        let text = format!("normalises axes of fixed sizes, but `{size}` of {found} is not");
        return Err(l.cx.refuse(Mismatch::new(text), Some(l.x)));
    }
    let (name, how) = (l.options.owner.clone(), l.written);
    let mut shape = found.dims()[first..].to_vec();
    for (i, size) in written.iter().enumerate() {
        let fixed = |actual: &Dim| {
            let mut sizes: Vec<String> = written.iter().map(text_of).collect();
            sizes[i] = actual.to_string();
            match is_list {
                true => format!("{name}([{}])", sizes.join(", ")),
                false => how.layer(&name, &[how.size(actual)], &[]),
            }
        };
        shape[i] = l.input(size, first + i, "feature", fixed)?;
    }
    let eps = l.cx.literal_option(&mut l.options, "eps")?;
    let weight = l.flag("elementwise_affine")?;
    let bias = centred && l.flag("bias")? && weight;
    let mut inputs = vec![l.x];
    if weight {
        inputs.push(l.param("weight", shape.clone(), quote!(__private::Init::Ones)));
    }
    if bias {
        inputs.push(l.param("bias", shape, quote!(__private::Init::Zeros)));
    }
    let options = layer_norm::Options { axes, eps, centred, weight, bias };
    Ok(l.cx.ops(LayerNorm(options), &inputs)?[0])
}
