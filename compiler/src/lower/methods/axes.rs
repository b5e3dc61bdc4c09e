//! Methods along axes: sums and their like, and what turns rows.

use super::Method;
use crate::dim::{Dim, Shape};
use crate::graph::ValueId;
use crate::lower::{FnCx, Lowering, Options};
use crate::ops::reduce::{Kind, Reduce};
use crate::ops::rotary::Rotary;
use crate::ops::shaping::Reshape;
use crate::vocabulary::{Domain, Example, OptionRow, Range};

const REDUCED: &str =
    "`x` of any shape → `y` without the axes, or with 1 in their places (`keepdim`)";

const OPTIONS: &[OptionRow] = &[
    OptionRow::new("dim", Domain::Other("an axis, or a list of axes"), "AXES").or("all axes"),
    OptionRow::flag("keepdim", false),
];

/// A reduction's row.
const fn reduction(
    name: &'static str,
    source: &'static str,
    formula: &'static str,
    example: &'static str,
    build: fn(&mut FnCx, ValueId, &mut Options) -> Lowering<ValueId>,
) -> Method {
    Method {
        options: OPTIONS,
        shapes: REDUCED,
        formula,
        source,
        example: Example::function(example),
        ..Method::new(name, build)
    }
}

pub(super) const SUM: Method = reduction(
    "sum",
    "torch.sum",
    "y = the sum of the elements",
    "x: [batch, 10, 64]) -> [batch, 64] { x.sum(dim = 1) }",
    |cx, x, o| reduce(cx, x, o, Kind::Sum),
);
pub(super) const MEAN: Method = reduction(
    "mean",
    "torch.mean",
    "y = the mean of the elements",
    "x: [batch, 10, 64]) -> [batch, 1, 64] { x.mean(dim = 1, keepdim = true) }",
    |cx, x, o| reduce(cx, x, o, Kind::Mean),
);
pub(super) const AMAX: Method = reduction(
    "amax",
    "torch.amax",
    "y = the largest element; equal ones share the gradient",
    "x: [batch, 10, 64]) -> [batch] { x.amax(dim = [1, 2]) }",
    |cx, x, o| reduce(cx, x, o, Kind::Max),
);
pub(super) const AMIN: Method = reduction(
    "amin",
    "torch.amin",
    "y = the smallest element; equal ones share the gradient",
    "x: [batch, 10, 64]) -> [batch] { x.amin(dim = [1, 2]) }",
    |cx, x, o| reduce(cx, x, o, Kind::Min),
);
pub(super) const ROTARY: Method = Method {
    options: &[
        OptionRow::axis_or("dim", -2),
        OptionRow::number("base", 10_000.0, Range::Positive).drawn("BASE"),
        OptionRow::flag("interleaved", false),
    ],
    shapes: "`x [.., T, .., D]` → `y`, the same; `D` is even",
    formula: "pairs of features (a, b) of position t on `dim` turned by the angle φ = t / \
        base^(2i/D): (a cos φ − b sin φ, a sin φ + b cos φ). Pairs are the halves of a row, or \
        neighbours where `interleaved`",
    source: "Su et al., RoFormer, 2021; torchtune's RotaryPositionalEmbeddings, with neighbours",
    example: Example::function("x: [batch, 4, 10, 16]) -> [batch, 4, 10, 16] { x.rotary() }"),
    ..Method::new("rotary", rotary)
};

fn reduce(cx: &mut FnCx, x: ValueId, o: &mut Options, kind: Kind) -> Lowering<ValueId> {
    let dims = cx.graph.ty(x).shape.0.clone();
    let axes = match o.take("dim") {
        Some(expr) => cx.ok(Options::axes(&expr, dims.len()))?,
        None => (0..dims.len()).collect(),
    };
    let keep = match o.take("keepdim") {
        Some(expr) => cx.ok(Options::bool(&expr))?,
        None => o.row("keepdim").default_flag(),
    };
    let y = cx.op(Reduce { kind, axes: axes.clone() }, &[x])?;
    if !keep {
        return Ok(y);
    }
    let ones = dims.into_iter().enumerate();
    let ones = ones.map(|(i, dim)| if axes.contains(&i) { Dim::lit(1) } else { dim });
    cx.op(Reshape(Shape(ones.collect())), &[y])
}

/// `x.rotary()`: rows turned by their position, which is on the axis before theirs.
fn rotary(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let axis = cx.axis_option(x, o, "dim")?;
    let base = cx.literal_option(o, "base")?;
    let interleaved = cx.flag_option(o, "interleaved")?;
    cx.op(Rotary::new(axis, base, interleaved), &[x])
}
