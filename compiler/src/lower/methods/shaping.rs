//! Methods that change a shape, or take a part.

use super::Method;
use crate::diagnostics::Diagnostic;
use crate::dim::{Dim, Shape, product};
use crate::graph::ValueId;
use crate::lower::{FnCx, Lowering, Options, Scope, shape};
use crate::ops::Mismatch;
use crate::ops::narrow::Narrow;
use crate::ops::shaping::{Permute, Reshape};
use crate::vocabulary::{Domain, Example, Input, OptionRow};

pub const FLATTEN_OPTIONS: &[OptionRow] = &[OptionRow::axis_or("start_dim", 1)];
pub const FLATTEN_SHAPES: &str = "`x [batch, ..]` → `y [batch, D]`";
pub const FLATTEN: &str = "y = x with all axes from `start_dim` on as one; PyTorch's method \
    starts at axis 0, its layer at 1";

/// A row that class indices have, too.
const fn of_any(
    name: &'static str,
    build: fn(&mut FnCx, ValueId, &mut Options) -> Lowering<ValueId>,
) -> Method {
    Method { input: Input::Any, ..Method::new(name, build) }
}

pub(super) const FLATTEN_ROW: Method = Method {
    options: FLATTEN_OPTIONS,
    shapes: FLATTEN_SHAPES,
    formula: FLATTEN,
    source: "torch.flatten",
    example: Example::function("x: [batch, 8, 7, 7]) -> [batch, 392] { x.flatten() }"),
    ..of_any("flatten", flatten)
};
pub(super) const RESHAPE: Method = Method {
    options: &[OptionRow::new("shape", Domain::Other("a list of sizes"), "SHAPE")],
    shapes: "`x` of any shape → `y` of `shape`, with as many elements",
    formula: "y = the elements of x in their order",
    source: "torch.reshape",
    example: Example::function("x: [batch, 64]) -> [batch, 4, 16] { x.reshape([batch, 4, 16]) }"),
    ..of_any("reshape", reshape)
};
pub(super) const SQUEEZE: Method = Method {
    options: &[OptionRow::axis("dim")],
    shapes: "`x [.., 1, ..]` → `y [.., ..]`",
    formula: "y = x without an axis of size 1",
    source: "torch.squeeze",
    example: Example::function("x: [batch, 1, 64]) -> [batch, 64] { x.squeeze(1) }"),
    ..of_any("squeeze", squeeze)
};
pub(super) const UNSQUEEZE: Method = Method {
    options: &[OptionRow::axis_or("dim", 0)],
    shapes: "`x [.., ..]` → `y [.., 1, ..]`",
    formula: "y = x with a new axis of size 1",
    source: "torch.unsqueeze",
    example: Example::function("x: [batch, 64]) -> [batch, 1, 64] { x.unsqueeze(1) }"),
    ..of_any("unsqueeze", unsqueeze)
};
pub(super) const TRANSPOSE: Method = Method {
    options: &[OptionRow::axis("dim0"), OptionRow::axis("dim1")],
    shapes: "`x [.., A, .., B, ..]` → `y [.., B, .., A, ..]`",
    formula: "y = x with two axes in each other's place",
    source: "torch.transpose",
    example: Example::function("x: [batch, 4, 16]) -> [batch, 16, 4] { x.transpose(1, 2) }"),
    ..Method::new("transpose", transpose)
};
pub(super) const PERMUTE: Method = Method {
    options: &[OptionRow::new("dims", Domain::Other("a list of all axes"), "ORDER")],
    shapes: "`x` of any shape → `y` with its sizes in the order of `dims`",
    formula: "axis i of y is axis dims[i] of x",
    source: "torch.permute",
    example: Example::function("x: [batch, 4, 16]) -> [batch, 16, 4] { x.permute([0, 2, 1]) }"),
    ..Method::new("permute", permute)
};
pub(super) const NARROW: Method = Method {
    options: &[
        OptionRow::axis("dim"),
        OptionRow::new("start", Domain::Size(0), "INDEX"),
        OptionRow::new("length", Domain::Size(1), "LENGTH"),
    ],
    shapes: "`x [.., D, ..]` → `y [.., length, ..]`",
    formula: "y[.., i, ..] = x[.., start + i, ..]",
    source: "torch.narrow",
    example: Example::function(
        "x: [batch, 64]) -> [batch, 16] { x.narrow(dim = 1, start = 48, length = 16) }",
    ),
    ..Method::new("narrow", narrow)
};
pub(super) const SELECT: Method = Method {
    options: &[OptionRow::axis("dim"), OptionRow::new("index", Domain::Size(0), "INDEX")],
    shapes: "`x [.., D, ..]` → `y [.., ..]`",
    formula: "y[.., ..] = x[.., index, ..]",
    source: "torch.select",
    example: Example::function(
        "x: [batch, 10, 64]) -> [batch, 64] { x.select(dim = 1, index = 9) }",
    ),
    ..Method::new("select", select)
};

/// From `start_dim` (1, PyTorch's `nn.Flatten`) on, one axis.
pub fn flatten(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let dims = cx.graph.ty(x).shape.0.clone();
    let start = match o.take("start_dim") {
        Some(expr) => cx.ok(Options::axis(&expr, dims.len()))?,
        None => 1,
    };
    if start >= dims.len() {
        return Ok(x);
    }
    let flat = [&dims[..start], &[product(&dims[start..])]].concat();
    cx.op(Reshape(Shape(flat)), &[x])
}

fn reshape(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let Some(expr) = o.take("shape") else {
        let error = Diagnostic::new(o.span, "`reshape` needs a shape");
        return Err(cx.model.report(error.help("write `reshape([batch, 4, 16])`")));
    };
    let syn::Expr::Array(array) = &expr else {
        let error = Diagnostic::over(&expr, "expected a shape such as `[batch, 4, 16]`");
        return Err(cx.model.report(error));
    };
    let dims: Vec<_> = array.elems.iter().cloned().collect();
    let shape = shape(&dims, &cx.scope());
    let shape = cx.ok(shape)?;
    cx.op(Reshape(shape), &[x])
}

fn squeeze(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let axis = cx.axis_option(x, o, "dim")?;
    let mut dims = cx.graph.ty(x).shape.0.clone();
    if !dims.remove(axis).is_one() {
        let text =
            format!("removes an axis of size 1, but axis {axis} of {} is not", cx.graph.ty(x));
        return Err(cx.refuse(Mismatch::new(text), Some(x)));
    }
    cx.op(Reshape(Shape(dims)), &[x])
}

fn unsqueeze(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let mut dims = cx.graph.ty(x).shape.0.clone();
    let axis = match o.take("dim") {
        Some(expr) => cx.ok(Options::axis(&expr, dims.len() + 1))?,
        None => 0,
    };
    dims.insert(axis, Dim::lit(1));
    cx.op(Reshape(Shape(dims)), &[x])
}

fn transpose(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let a = cx.axis_option(x, o, "dim0")?;
    let b = cx.axis_option(x, o, "dim1")?;
    let mut axes: Vec<_> = (0..cx.rank(x)).collect();
    axes.swap(a, b);
    cx.op(Permute(axes), &[x])
}

fn permute(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let rank = cx.rank(x);
    let Some(syn::Expr::Array(array)) = o.take("dims") else {
        let error = Diagnostic::new(o.span, "`permute` needs the order of the axes");
        return Err(cx.model.report(error.help("write `permute([0, 2, 1])`")));
    };
    let axes: Result<Vec<_>, _> = array.elems.iter().map(|e| Options::axis(e, rank)).collect();
    let axes = cx.ok(axes)?;
    cx.op(Permute(axes), &[x])
}

/// `length` elements along `dim` from `start` on, PyTorch's `narrow`.
fn narrow(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let axis = cx.axis_option(x, o, "dim")?;
    let size = cx.graph.ty(x).dims()[axis].clone();
    let (Some(start), Some(len)) = (o.take("start"), o.take("length")) else {
        let error = Diagnostic::new(o.span, "`narrow` needs a start and a length");
        return Err(cx.model.report(error.help("write `narrow(dim = 1, start = 0, length = 4)`")));
    };
    let start = cx.index(&start, &size)?;
    let len = crate::lower::dim(&len, &Scope { run_time: false, ..cx.scope() });
    let len = cx.ok(len)?;
    let len = cx.at_least(len, 1, "the `length` of `narrow`", o.span)?;
    cx.op(Narrow { axis, start, len }, &[x])
}

/// One element of an axis, which disappears.
fn select(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let axis = cx.axis_option(x, o, "dim")?;
    let mut dims = cx.graph.ty(x).shape.0.clone();
    let Some(index) = o.take("index") else {
        let error = Diagnostic::new(o.span, "`select` needs an index");
        return Err(cx.model.report(error.help("write `select(dim = 1, index = 0)`")));
    };
    let start = cx.index(&index, &dims[axis])?;
    let y = cx.op(Narrow { axis, start, len: Dim::lit(1) }, &[x])?;
    dims.remove(axis);
    cx.op(Reshape(Shape(dims)), &[y])
}
