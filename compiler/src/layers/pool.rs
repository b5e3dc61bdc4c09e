//! `MaxPool2d` and `AvgPool2d`, and the options of a window.

use super::usage::Use;
use super::{Build, Layer};
use crate::dim::Dim;
use crate::graph::ValueId;
use crate::lower::images::image;
use crate::lower::{FnCx, Lowering, Options};
use crate::ops::conv2d::Window;
use crate::ops::pool2d::{Pool, Pool2d};
use crate::vocabulary::{Example, Input, OptionRow};

/// The options of `MaxPool2d` and `max_pool2d`.
pub const MAX_OPTIONS: &[OptionRow] = &[
    OptionRow::pair("kernel", 1),
    OptionRow::pair("stride", 1).or("`kernel`"),
    OptionRow::pair("padding", 0).or("`0`"),
    OptionRow::pair("dilation", 1).or("`1`"),
];

/// The options of `AvgPool2d` and `avg_pool2d`.
pub const AVG_OPTIONS: &[OptionRow] = &[
    OptionRow::pair("kernel", 1),
    OptionRow::pair("stride", 1).or("`kernel`"),
    OptionRow::pair("padding", 0).or("`0`"),
];

/// The shapes of both.
pub const SHAPES: &str = "`x [batch, C, H, W]` → `y [batch, C, H', W']` with \
    `H' = ⌊(H + 2 padding − dilation (kernel − 1) − 1) / stride⌋ + 1`";
pub const MAX: &str = "y = the largest element of each window; padding plays no part";
pub const AVG: &str = "y = the mean of each window, with zeros in its padding";

pub(super) const MAX_POOL2D: Layer = Layer {
    input: Input::Images,
    options: MAX_OPTIONS,
    type_params: Some("K"),
    shapes: SHAPES,
    formula: MAX,
    source: "torch.nn.MaxPool2d",
    example: Example::layer(
        "MaxPool2d(2)",
        "x: [batch, 8, 28, 28]) -> [batch, 8, 14, 14] { self.layer(x) }",
    ),
    ..Layer::new("MaxPool2d", Build::One(|l| pool(l, Pool::Max)))
};

pub(super) const AVG_POOL2D: Layer = Layer {
    input: Input::Images,
    options: AVG_OPTIONS,
    type_params: Some("K"),
    shapes: SHAPES,
    formula: AVG,
    source: "torch.nn.AvgPool2d",
    example: Example::layer(
        "AvgPool2d(2)",
        "x: [batch, 8, 28, 28]) -> [batch, 8, 14, 14] { self.layer(x) }",
    ),
    ..Layer::new("AvgPool2d", Build::One(|l| pool(l, Pool::Avg)))
};

fn pool(l: &mut Use, pool: Pool) -> Lowering<ValueId> {
    let x = image(l.cx, l.x)?;
    let kernel = l.cx.pair_option(&mut l.options, "kernel", None)?;
    let window = window(l.cx, &mut l.options, kernel.clone(), kernel, pool == Pool::Max)?;
    l.op(Pool2d { pool, window, x }, &[l.x])
}

/// The strides of a window, in PyTorch's order: stride, padding, dilation.
pub fn window(
    cx: &mut FnCx,
    options: &mut Options,
    kernel: [Dim; 2],
    stride: [Dim; 2],
    dilates: bool,
) -> Lowering<Window> {
    let stride = cx.pair_option(options, "stride", Some(stride))?;
    let padding = cx.pair_option(options, "padding", Some([Dim::lit(0), Dim::lit(0)]))?;
    let one = [Dim::lit(1), Dim::lit(1)];
    let dilation = if dilates { cx.pair_option(options, "dilation", Some(one))? } else { one };
    Ok(Window { kernel, stride, padding, dilation })
}
