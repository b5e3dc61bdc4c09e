//! Functions of weights that are values, as in `torch.nn.functional`:
//! `linear(x, self.token.weight)`.

use super::functions::{Build, Function};
use super::images::image;
use super::{FnCx, Lowering, Options};
use crate::dim::{Dim, Shape};
use crate::graph::ValueId;
use crate::layers::{conv, window};
use crate::ops::Mismatch;
use crate::ops::conv2d::{Conv2d, Direction};
use crate::ops::elementwise::Elementwise;
use crate::ops::embedding::Embedding;
use crate::ops::layer_norm::{self, LayerNorm};
use crate::ops::matmul::{Layout, Matmul};
use crate::ops::shaping::Reshape;
use crate::vocabulary::{Domain, Example, Input, Operand, OptionRow, Range};

const OF_ROWS: &[&[Operand]] =
    &[&[("x", ""), ("weight", "WEIGHT")], &[("x", ""), ("weight", "WEIGHT"), ("bias", "OUTPUT")]];
const OF_IMAGES: &[&[Operand]] =
    &[&[("x", ""), ("weight", "FILTERS")], &[("x", ""), ("weight", "FILTERS"), ("bias", "OUTPUT")]];

pub(super) const LINEAR: Function = Function {
    input: Input::Rows,
    calls: OF_ROWS,
    shapes: "`x [.., I]`, `weight [O, I]`, `bias [O]` → `y [.., O]`",
    formula: "y = x weightᵀ + bias, without the bias where there is none",
    source: "torch.nn.functional.linear",
    example: Example::function(
        "x: [batch, 64], weight: [10, 64], bias: [10]) -> [batch, 10] \
         { linear(x, weight, bias) }",
    ),
    ..Function::new("linear", Build::Values(linear))
};

pub(super) const CONV2D: Function = Function {
    input: Input::Images,
    calls: OF_IMAGES,
    options: &[
        OptionRow::pair("stride", 1).or("`1`"),
        OptionRow::pair("padding", 0).or("`0`"),
        OptionRow::pair("dilation", 1).or("`1`"),
        conv::GROUPS,
    ],
    shapes: "`x [batch, I, H, W]`, `weight [O, I / groups, K, K]`, `bias [O]` → \
        `y [batch, O, H', W']` as of `Conv2d`",
    formula: "y = what a `Conv2d` with these parameters makes",
    source: "torch.nn.functional.conv2d",
    example: Example::function(
        "x: [batch, 3, 28, 28], weight: [8, 3, 5, 5]) -> [batch, 8, 28, 28] \
         { conv2d(x, weight, padding = 2) }",
    ),
    ..Function::new("conv2d", Build::Values(conv2d))
};

pub(super) const EMBEDDING: Function = Function {
    input: Input::Classes,
    calls: &[&[("index", ""), ("weight", "TABLE")]],
    options: &[
        OptionRow::new("padding_idx", Domain::Other("a row that has no gradient"), "P").or("none")
    ],
    shapes: "`index Classes[batch, ..]`, `weight [V, D]` → `y [batch, .., D]`",
    formula: "y = weight[index]",
    source: "torch.nn.functional.embedding",
    example: Example::function(
        "x: Classes[batch, 10], weight: [100, 64]) -> [batch, 10, 64] { embedding(x, weight) }",
    ),
    ..Function::new("embedding", Build::Values(embedding))
};

const OF_NORMS: &[&[Operand]] = &[
    &[("x", "")],
    &[("x", ""), ("weight", "ROW")],
    &[("x", ""), ("weight", "ROW"), ("bias", "ROW")],
];

pub(super) const LAYER_NORM: Function = Function {
    input: Input::Rows,
    calls: OF_NORMS,
    options: &[OptionRow::number("eps", 1e-5, Range::Positive).drawn("SMALL")],
    shapes: "`x [.., D]`, `weight` and `bias [D]` or of the last sizes of `x` → `y`, as `x`",
    formula: "y = (x − mean) / √(var + eps) · weight + bias, with the mean and the variance of \
        each row",
    source: "torch.nn.functional.layer_norm",
    example: Example::function(
        "x: [batch, 64], weight: [64], bias: [64]) -> [batch, 64] { layer_norm(x, weight, bias) }",
    ),
    ..Function::new("layer_norm", Build::Values(|cx, values, o| norm(cx, values, o, true)))
};

pub(super) const RMS_NORM: Function = Function {
    input: Input::Rows,
    calls: &[&[("x", "")], &[("x", ""), ("weight", "ROW")]],
    options: &[OptionRow::number("eps", f32::EPSILON as f64, Range::Positive).drawn("SMALL")],
    shapes: "`x [.., D]`, `weight [D]` or of the last sizes of `x` → `y`, as `x`",
    formula: "y = x / √(mean(x²) + eps) · weight, with the mean of each row",
    source: "torch.nn.functional.rms_norm",
    example: Example::function(
        "x: [batch, 64], weight: [64]) -> [batch, 64] { rms_norm(x, weight) }",
    ),
    ..Function::new("rms_norm", Build::Values(|cx, values, o| norm(cx, values, o, false)))
};

/// `x [.., I]  w [O, I]  b [O]  →  y [.., O]`
fn linear(cx: &mut FnCx, values: &[ValueId], _: &mut Options) -> Lowering<ValueId> {
    let (x, w) = (values[0], values[1]);
    let [of_x, of_w] = [x, w].map(|value| cx.graph.ty(value).clone());
    let fits = match (of_x.dims(), of_w.dims()) {
        ([.., features], [_, columns]) => cx.rule.equal(features, columns),
        _ => false,
    };
    if !fits {
        let text = format!("takes [.., I] and a weight [O, I], but receives {of_x} and {of_w}");
        return Err(cx.refuse(Mismatch::new(text), Some(w)));
    }
    let y = cx.op(Matmul(Layout::NT), &[x, w])?;
    match values.get(2) {
        Some(b) => {
            let b = cx.bias(*b, &of_w.dims()[0])?;
            cx.op(Elementwise::new("add"), &[y, b])
        }
        None => Ok(y),
    }
}

/// `x [N, I, H, W]  w [O, I/groups, kh, kw]  b [O]  →  y [N, O, H', W']`
fn conv2d(cx: &mut FnCx, values: &[ValueId], o: &mut Options) -> Lowering<ValueId> {
    let (x, w) = (values[0], values[1]);
    let dims = image(cx, x)?;
    let of_w = cx.graph.ty(w).clone();
    let [output, per_group, kh, kw] = of_w.dims() else {
        let text = format!("takes a weight [O, I / groups, K, K], but receives {of_w}");
        return Err(cx.refuse(Mismatch::new(text), Some(w)));
    };
    let one = [Dim::lit(1), Dim::lit(1)];
    let window = window(cx, o, [kh.clone(), kw.clone()], one, true)?;
    let groups = match o.take_named("groups") {
        Some(expr) => cx.size(&expr, "`groups` of `conv2d`")?,
        None => Dim::lit(1),
    };
    if !cx.rule.equal(&per_group.times(&groups), &dims[1]) {
        let text = format!(
            "has a weight of {per_group} channels for each of {groups} groups, but receives {}",
            cx.graph.ty(x)
        );
        return Err(cx.refuse(Mismatch::new(text), Some(x)));
    }
    if !cx.rule.divides(&groups, output) {
        let text = format!("cannot split {output} output channels into {groups} groups");
        return Err(cx.refuse(Mismatch::new(text), Some(x)));
    }
    let shape = of_w.dims().to_vec();
    let op = Conv2d { direction: Direction::Forward, window, groups, x: dims, w: shape };
    let y = cx.op(op, &[x, w])?;
    match values.get(2) {
        Some(b) => {
            let b = cx.bias(*b, output)?;
            let planes = Shape(vec![output.clone(), Dim::lit(1), Dim::lit(1)]);
            let b = cx.op(Reshape(planes), &[b])?;
            cx.op(Elementwise::new("add"), &[y, b])
        }
        None => Ok(y),
    }
}

/// `index Classes[..]  w [V, D]  →  y [.., D]`
fn embedding(cx: &mut FnCx, values: &[ValueId], o: &mut Options) -> Lowering<ValueId> {
    let of_w = cx.graph.ty(values[1]).clone();
    let [count, _] = of_w.dims() else {
        let text = format!("looks up rows of a table [V, D], but receives {of_w}");
        return Err(cx.refuse(Mismatch::new(text), Some(values[1])));
    };
    let padding = match o.take_named("padding_idx") {
        Some(expr) => Some(cx.index(&expr, count)?),
        None => None,
    };
    cx.op(Embedding { padding }, values)
}

/// `x [.., D]`, normalised along the axes that `w` has, the last one where there is none.
fn norm(cx: &mut FnCx, values: &[ValueId], o: &mut Options, centred: bool) -> Lowering<ValueId> {
    let of_x = cx.graph.ty(values[0]).clone();
    let affine = values.get(1).map(|w| cx.graph.ty(*w).clone());
    let axes = affine.as_ref().map_or(1, |ty| ty.shape.rank());
    let lasts = of_x.shape.rank().checked_sub(axes).filter(|_| axes > 0);
    let lasts = lasts.map(|first| Shape(of_x.dims()[first..].to_vec()));
    let Some(lasts) = lasts.filter(|lasts| !lasts.0.iter().any(Dim::is_run_time)) else {
        let text = match affine {
            Some(weight) => {
                format!("normalises the axes of its weight {weight}, but receives {of_x}")
            }
            None => format!("normalises a last axis of a fixed size, but receives {of_x}"),
        };
        return Err(cx.refuse(Mismatch::new(text), Some(values[0])));
    };
    for value in &values[1..] {
        let found = cx.graph.ty(*value).clone();
        if !cx.rule.equal_shapes(&lasts, &found.shape) {
            let text = format!("takes a weight and a bias {lasts}, but receives {found}");
            return Err(cx.refuse(Mismatch::new(text), Some(*value)));
        }
    }
    let eps = cx.literal_option(o, "eps")?;
    let (weight, bias) = (values.len() > 1, values.len() > 2);
    let options = layer_norm::Options { axes, eps, centred, weight, bias };
    Ok(cx.ops(LayerNorm(options), values)?[0])
}

impl FnCx<'_, '_> {
    /// A bias of as many outputs.
    fn bias(&mut self, b: ValueId, outputs: &Dim) -> Lowering<ValueId> {
        let found = self.graph.ty(b).clone();
        let fits = found.shape.rank() == 1 && self.rule.equal(&found.dims()[0], outputs);
        if fits {
            return Ok(b);
        }
        let text = format!("takes a bias [{outputs}], but receives {found}");
        Err(self.refuse(Mismatch::new(text), Some(b)))
    }
}
