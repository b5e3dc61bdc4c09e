//! The layers that are one function of each element.

use super::usage::Use;
use super::{Build, Layer};
use crate::graph::ValueId;
use crate::lower::Lowering;
use crate::ops::elementwise::{ELU, LEAKY_RELU, SOFTPLUS};
use crate::vocabulary::{Example, OptionRow};

const fn row(
    name: &'static str,
    source: &'static str,
    formula: &'static str,
    layer: &'static str,
    build: fn(&mut Use) -> Lowering<ValueId>,
) -> Layer {
    Layer {
        type_params: Some(""),
        shapes: super::ANY_SHAPE,
        formula,
        source,
        example: Example::layer(layer, "x: [batch, 64]) -> [batch, 64] { self.layer(x) }"),
        ..Layer::new(name, Build::One(build))
    }
}

const fn with(options: &'static [OptionRow], row: Layer) -> Layer {
    Layer { options, ..row }
}

pub(super) const RELU: Layer =
    row("Relu", "torch.nn.ReLU", "y = max(x, 0)", "Relu()", |l| of_each(l, "relu"));
pub(super) const GELU: Layer =
    row("Gelu", "torch.nn.GELU", "y = x Φ(x), with the normal distribution's Φ", "Gelu()", |l| {
        of_each(l, "gelu")
    });
pub(super) const SILU: Layer =
    row("Silu", "torch.nn.SiLU", "y = x σ(x)", "Silu()", |l| of_each(l, "silu"));
pub(super) const SIGMOID: Layer =
    row("Sigmoid", "torch.nn.Sigmoid", "y = 1 / (1 + e⁻ˣ)", "Sigmoid()", |l| {
        of_each(l, "sigmoid")
    });
pub(super) const TANH: Layer =
    row("Tanh", "torch.nn.Tanh", "y = tanh x", "Tanh()", |l| of_each(l, "tanh"));
pub(super) const LEAKY_RELU_LAYER: Layer = with(
    LEAKY_RELU,
    row(
        "LeakyRelu",
        "torch.nn.LeakyReLU",
        "y = x where x > 0, else negative_slope · x",
        "LeakyRelu()",
        |l| of_each(l, "leaky_relu"),
    ),
);
pub(super) const ELU_LAYER: Layer = with(
    ELU,
    row("Elu", "torch.nn.ELU", "y = x where x > 0, else alpha (eˣ − 1)", "Elu()", |l| {
        of_each(l, "elu")
    }),
);
pub(super) const SOFTPLUS_LAYER: Layer = with(
    SOFTPLUS,
    row(
        "Softplus",
        "torch.nn.Softplus",
        "y = log(1 + e^(beta · x)) / beta; x itself where beta · x > threshold",
        "Softplus()",
        |l| of_each(l, "softplus"),
    ),
);

fn of_each(l: &mut Use, function: &'static str) -> Lowering<ValueId> {
    l.cx.elementwise(l.x, function, &mut l.options)
}
