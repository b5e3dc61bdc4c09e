//! `Linear`.

use super::usage::{Use, default_init};
use super::{Build, Layer};
use crate::graph::ValueId;
use crate::lower::Lowering;
use crate::ops::Mismatch;
use crate::vocabulary::{Domain, Example, Input, OptionRow, Sizes};

pub(super) const LINEAR: Layer = Layer {
    input: Input::Rows,
    sizes: Some(Sizes { written: "I -> O", sample: "LAST -> SIZE" }),
    options: &[
        OptionRow::new(
            "tied",
            Domain::Other("`self.token`, a layer with a weight `[O, I]`"),
            "LAYER",
        )
        .or("a weight of its own"),
        OptionRow::flag("bias", true),
    ],
    type_params: Some("I, O"),
    params: "`weight [O, I]`, `bias [O]`",
    shapes: "`x [.., I]` → `y [.., O]`",
    formula: "y = x weightᵀ + bias",
    source: "torch.nn.Linear",
    example: Example::layer(
        "Linear(784 -> 128)",
        "x: [batch, 784]) -> [batch, 128] { self.layer(x) }",
    ),
    ..Layer::new("Linear", Build::One(linear))
};

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
    let has_bias = l.flag("bias")?;
    let b = has_bias.then(|| l.param("bias", vec![output], default_init(&input)));
    l.affine(l.x, w, b)
}
