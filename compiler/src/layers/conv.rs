//! `Conv2d` and `ConvTranspose2d`.

use super::pool::window;
use super::usage::{Use, default_init, first_span};
use super::{Build, Layer};
use crate::dim::{Dim, Shape};
use crate::graph::ValueId;
use crate::lower::Lowering;
use crate::lower::images::image;
use crate::ops::Mismatch;
use crate::ops::conv2d::{Conv2d, Direction, Window};
use crate::ops::elementwise::Elementwise;
use crate::ops::shaping::Reshape;
use crate::vocabulary::{Domain, Example, Input, OptionRow, Sizes};

const SIZES: Sizes = Sizes { written: "I -> O", sample: "CHANNELS -> SIZE" };
/// The option of the groups that channels are split into.
pub const GROUPS: OptionRow =
    OptionRow::new("groups", Domain::Other("a size that divides `I` and `O`"), "GROUPS").or("`1`");

pub(super) const CONV2D: Layer = Layer {
    input: Input::Images,
    sizes: Some(SIZES),
    options: &[
        OptionRow::pair("kernel", 1),
        OptionRow::pair("stride", 1).or("`1`"),
        OptionRow::pair("padding", 0).or("`0`"),
        OptionRow::pair("dilation", 1).or("`1`"),
        GROUPS,
        OptionRow::flag("bias", true),
    ],
    type_params: Some("I, O, K, STRIDE = 1, PADDING = 0"),
    params: "`weight [O, I / groups, K, K]`, `bias [O]`",
    shapes: "`x [batch, I, H, W]` → `y [batch, O, H', W']` with \
        `H' = ⌊(H + 2 padding − dilation (K − 1) − 1) / stride⌋ + 1`",
    formula: "y[o, i, j] = bias[o] + Σ weight[o, c, a, b] · x[c, stride · i + dilation · a − \
        padding, stride · j + dilation · b − padding], over c, a and b, of the channels in o's \
        group",
    source: "torch.nn.Conv2d",
    example: Example::layer(
        "Conv2d(3 -> 8, kernel = 5, padding = 2)",
        "x: [batch, 3, 28, 28]) -> [batch, 8, 28, 28] { self.layer(x) }",
    ),
    ..Layer::new("Conv2d", Build::One(conv2d))
};

pub(super) const CONV_TRANSPOSE2D: Layer = Layer {
    input: Input::Images,
    sizes: Some(SIZES),
    options: &[
        OptionRow::pair("kernel", 1),
        OptionRow::pair("stride", 1).or("`1`"),
        OptionRow::pair("padding", 0).or("`0`"),
        OptionRow::pair("dilation", 1).or("`1`"),
        OptionRow::pair("output_padding", 0).or("`0`"),
        GROUPS,
        OptionRow::flag("bias", true),
    ],
    type_params: Some("I, O, K, STRIDE = 1, PADDING = 0"),
    params: "`weight [I, O / groups, K, K]`, `bias [O]`",
    shapes: "`x [batch, I, H, W]` → `y [batch, O, H', W']` with \
        `H' = (H − 1) stride − 2 padding + dilation (K − 1) + output_padding + 1`",
    formula: "y = bias + the transposed map of the `Conv2d` from `y` to `x`",
    source: "torch.nn.ConvTranspose2d",
    example: Example::layer(
        "ConvTranspose2d(32 -> 16, kernel = 2, stride = 2)",
        "x: [batch, 32, 14, 14]) -> [batch, 16, 28, 28] { self.layer(x) }",
    ),
    ..Layer::new("ConvTranspose2d", Build::One(conv_transpose2d))
};

/// `x [N, C, H, W]  w [O, C/groups, kh, kw]  b [O]  →  y [N, O, H', W']`
pub(super) fn conv2d(l: &mut Use) -> Lowering<ValueId> {
    image(l.cx, l.x)?;
    let (input, output) = l.sizes(1, "channel")?;
    let mut x = l.cx.graph.ty(l.x).shape.0.clone();
    x[1] = input.clone();
    let kernel = l.cx.pair_option(&mut l.options, "kernel", None)?;
    let one = [Dim::lit(1), Dim::lit(1)];
    let window = window(l.cx, &mut l.options, kernel, one, true)?;
    let (groups, [per_group, _]) = groups(l, &input, &output)?;
    let [kh, kw] = window.kernel.clone();
    let shape = vec![output.clone(), per_group, kh, kw];
    let fan_in = crate::dim::product(&shape[1..]);
    let w = l.param("weight", shape.clone(), default_init(&fan_in));
    let op = Conv2d { direction: Direction::Forward, window, groups, x, w: shape };
    let y = l.op(op, &[l.x, w])?;
    plane_bias(l, y, output, &fan_in)
}

/// `x [N, C, H, W]  w [C, O/groups, kh, kw]  b [O]  →  y [N, O, H', W']`: the transposed map of
/// the convolution from `y` to `x`.
pub(super) fn conv_transpose2d(l: &mut Use) -> Lowering<ValueId> {
    image(l.cx, l.x)?;
    let (input, output) = l.sizes(1, "channel")?;
    let x = l.cx.graph.ty(l.x).shape.0.clone();
    let kernel = l.cx.pair_option(&mut l.options, "kernel", None)?;
    let one = [Dim::lit(1), Dim::lit(1)];
    let window = window(l.cx, &mut l.options, kernel, one, true)?;
    let zero = [Dim::lit(0), Dim::lit(0)];
    let padding = l.cx.pair_option(&mut l.options, "output_padding", Some(zero))?;
    let (groups, [_, per_group]) = groups(l, &input, &output)?;
    let mut y = vec![x[0].clone(), output.clone()];
    for (axis, padding) in padding.iter().enumerate() {
        y.push(transposed_size(l, &window, axis, &x[2 + axis], padding)?);
    }
    let [kh, kw] = window.kernel.clone();
    let shape = vec![input, per_group, kh, kw];
    let fan_in = crate::dim::product(&shape[1..]);
    let w = l.param("weight", shape.clone(), default_init(&fan_in));
    let op = Conv2d { direction: Direction::InputGrad, window, groups, x: y, w: shape };
    let y = l.op(op, &[l.x, w])?;
    plane_bias(l, y, output, &fan_in)
}

/// `(size − 1)·stride − 2·padding + dilation·(kernel − 1) + output_padding + 1` (PyTorch's
/// `ConvTranspose2d`).
fn transposed_size(
    l: &mut Use,
    window: &Window,
    axis: usize,
    size: &Dim,
    output_padding: &Dim,
) -> Lowering<Dim> {
    let one = Dim::lit(1);
    let (stride, padding) = (&window.stride[axis], &window.padding[axis]);
    let reach = window.dilation[axis].times(&window.kernel[axis].minus(&one));
    let spread = size.minus(&one).times(stride).plus(&reach).plus(output_padding).plus(&one);
    let made = spread.minus(&padding.times(&Dim::lit(2)));
    let mismatch = match (stride.as_lit(), output_padding.as_lit()) {
        (Some(stride), Some(extra)) if extra >= stride => {
            let text =
                format!("has output padding {extra}, which is not below its stride {stride}");
            Mismatch::new(text).help(format!("write `output_padding = {}` or less", stride - 1))
        }
        _ if made.atoms().next().is_none() && made.as_lit().is_none_or(|made| made == 0) => {
            Mismatch::new(format!("cuts a padding of {padding} off {spread} on both sides"))
                .help("use less padding or a larger kernel")
        }
        _ => {
            // The convolution from the output has to come back to the input.
            let back = window.output(&mut l.cx.rule, axis, &made);
            let back = back.map_err(|mismatch| l.cx.refuse(mismatch, Some(l.x)))?;
            let (step, least) = (l.cx.rule.subject.clone(), output_padding.plus(&one));
            l.cx.rule.at_least(stride, &least, || {
                format!("`{step}` has an output padding that is not below its stride")
            });
            if l.cx.rule.equal(&back, size) {
                return Ok(made);
            }
            Mismatch::new("needs an output padding below its stride")
        }
    };
    Err(l.cx.refuse(mismatch, Some(l.x)))
}

/// The option `groups`, and the input and output channels of one group.
fn groups(l: &mut Use, input: &Dim, output: &Dim) -> Lowering<(Dim, [Dim; 2])> {
    let groups = match l.options.take_named("groups") {
        Some(expr) => {
            l.cx.rule.span = first_span(&expr);
            l.dim(&expr)?
        }
        None => Dim::lit(1),
    };
    let mut split = |what: &str, channels: &Dim| match (channels.as_lit(), groups.as_lit()) {
        (Some(n), Some(g)) if n % g != 0 => {
            let text = format!("cannot split {n} {what} channels into {g} groups");
            Err(l.cx.refuse(Mismatch::new(text), Some(l.x)))
        }
        _ => {
            let text = format!("cannot split {channels} {what} channels into {groups} groups");
            match channels.floor_divided_by(&groups) {
                Some(each) if l.cx.rule.divides(&groups, channels) => Ok(each),
                _ => Err(l.cx.refuse(Mismatch::new(text), Some(l.x))),
            }
        }
    };
    let each = [split("input", input)?, split("output", output)?];
    Ok((groups, each))
}

/// Adds the option `bias`, one number for each plane.
fn plane_bias(l: &mut Use, y: ValueId, channels: Dim, fan_in: &Dim) -> Lowering<ValueId> {
    if !l.flag("bias")? {
        return Ok(y);
    }
    let b = l.param("bias", vec![channels.clone()], default_init(fan_in));
    let planes = Shape(vec![channels, Dim::lit(1), Dim::lit(1)]);
    let b = l.op(Reshape(planes), &[b])?;
    l.op(Elementwise::new("add"), &[y, b])
}
