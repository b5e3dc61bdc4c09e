//! The layers that do what a method does.

use super::{Build, Layer};
use crate::lower::{images, shaping, values};
use crate::vocabulary::{Example, Input};

pub(super) const ADAPTIVE_AVG_POOL2D: Layer = Layer {
    input: Input::Images,
    options: images::ADAPTIVE_OPTIONS,
    type_params: Some("O"),
    shapes: images::ADAPTIVE_SHAPES,
    formula: images::ADAPTIVE,
    source: "torch.nn.AdaptiveAvgPool2d",
    example: Example::layer(
        "AdaptiveAvgPool2d(1)",
        "x: [batch, 8, 28, 28]) -> [batch, 8, 1, 1] { self.layer(x) }",
    ),
    ..Layer::new(
        "AdaptiveAvgPool2d",
        Build::One(|l| images::adaptive_avg_pool(l.cx, l.x, &mut l.options)),
    )
};

pub(super) const UPSAMPLE: Layer = Layer {
    input: Input::Images,
    options: images::INTERPOLATE_OPTIONS,
    type_params: Some("SCALE"),
    shapes: images::INTERPOLATE_SHAPES,
    formula: images::INTERPOLATE,
    source: "torch.nn.Upsample",
    example: Example::layer(
        "Upsample(2)",
        "x: [batch, 8, 14, 14]) -> [batch, 8, 28, 28] { self.layer(x) }",
    ),
    ..Layer::new("Upsample", Build::One(|l| images::interpolate(l.cx, l.x, &mut l.options)))
};

pub(super) const DROPOUT: Layer = Layer {
    options: values::DROPOUT_OPTIONS,
    type_params: Some("PERCENT = 50"),
    shapes: "`x` of any shape → `y`, the same",
    formula: values::DROPOUT,
    source: "torch.nn.Dropout",
    example: Example::layer("Dropout(0.1)", "x: [batch, 64]) -> [batch, 64] { self.layer(x) }"),
    ..Layer::new("Dropout", Build::One(|l| values::dropout(l.cx, l.x, &mut l.options)))
};

pub(super) const FLATTEN: Layer = Layer {
    options: shaping::FLATTEN_OPTIONS,
    type_params: Some(""),
    shapes: shaping::FLATTEN_SHAPES,
    formula: shaping::FLATTEN,
    source: "torch.nn.Flatten",
    example: Example::layer("Flatten()", "x: [batch, 8, 7, 7]) -> [batch, 392] { self.layer(x) }"),
    ..Layer::new("Flatten", Build::One(|l| shaping::flatten(l.cx, l.x, &mut l.options)))
};
