//! Methods that change a shape, or take a part.

use super::Method;
use crate::diagnostics::Diagnostic;
use crate::dim::{Dim, Shape, product};
use crate::graph::ValueId;
use crate::lower::{FnCx, Lowering, Options, dim, text_of};
use crate::ops::Mismatch;
use crate::ops::elementwise::Elementwise;
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
    options: &[OptionRow::new(
        "shape",
        Domain::Other("a list of sizes, of which one may be `-1`"),
        "SHAPE",
    )],
    shapes: "`x` of any shape → `y` of `shape`, with as many elements; `-1` is what is left for it",
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
pub(super) const SLICE: Method = Method {
    options: &[
        OptionRow::axis("dim"),
        OptionRow::new("range", Domain::Other("`a..b`, `a..=b`, `a..` or `..b`"), "RANGE"),
    ],
    shapes: "`x [.., D, ..]` → `y [.., b - a, ..]`",
    formula: "y[.., i, ..] = x[.., a + i, ..]; `-1` is the last index, `..-1` all before it",
    source: "torch.narrow, written as a range: PyTorch's `x[:, a:b]`",
    example: Example::function("x: [batch, 64]) -> [batch, 16] { x.slice(1, 48..) }"),
    ..Method::new("slice", slice)
};
pub(super) const EXPAND: Method = Method {
    options: &[OptionRow::new(
        "shape",
        Domain::Other("a list of sizes, `-1` for that of `x`"),
        "EXPANDED",
    )],
    shapes: "`x [.., 1, ..]` → `y` of `shape`: sizes of 1 become larger, and new axes stand in front",
    formula: "y = x repeated",
    source: "torch.Tensor.expand",
    example: Example::function(
        "x: [64], y: [batch, 9, 64]) -> [batch, 10, 64] \
        { cat([x.expand([batch, 1, 64]), y], dim = 1) }",
    ),
    ..Method::new("expand", expand)
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

/// The sizes that an option lists, nothing for `-1`.
fn listed(cx: &mut FnCx, o: &mut Options) -> Lowering<(syn::ExprArray, Vec<Option<Dim>>)> {
    let owner = o.owner.clone();
    let Some(expr) = o.take("shape") else {
        let error = Diagnostic::new(o.span, format!("`{owner}` needs a shape"));
        return Err(cx.model.report(error.help(format!("write `{owner}([batch, 4, 16])`"))));
    };
    let syn::Expr::Array(array) = expr else {
        let all: Vec<_> = [expr].into_iter().chain(o.values()).collect();
        let written: Vec<_> = all.iter().map(|size| cx.size_text(size)).collect();
        let whole = quote::quote!(#(#all),*);
        let error = Diagnostic::over(&whole, "a shape is a list");
        return Err(cx.model.report(error.write(&whole, format!("[{}]", written.join(", ")))));
    };
    for written in &array.elems {
        if let Some(size) = cx.size_of(written) {
            let error = Diagnostic::over(written, "a size is its name, or a number");
            return Err(cx.model.report(error.write(written, size)));
        }
    }
    let sizes = array.elems.iter().map(|size| match text_of(size).replace(' ', "") == "-1" {
        true => Ok(None),
        false => dim(size, &cx.scope()).map(Some),
    });
    let sizes: Result<Vec<_>, _> = sizes.collect();
    Ok((array, cx.ok(sizes)?))
}

fn reshape(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let (written, sizes) = listed(cx, o)?;
    let known: Vec<_> = sizes.iter().flatten().cloned().collect();
    let mut shape = known.clone();
    match sizes.len() - known.len() {
        0 => {}
        1 => {
            let (whole, part) = (cx.graph.ty(x).shape.len(), product(&known));
            let rest = whole.divided_by(&part).or_else(|| {
                whole.floor_divided_by(&part).filter(|_| cx.rule.divides(&part, &whole))
            });
            let Some(rest) = rest.filter(|rest| rest.as_lit() != Some(0)) else {
                let found = cx.graph.ty(x);
                let text = text_of(&written).replace("- ", "-");
                let text = format!("cannot give {found} the shape {text}");
                let help = format!("{whole} elements are no whole number of times {part}");
                return Err(cx.refuse(Mismatch::new(text).help(help), Some(x)));
            };
            let at = sizes.iter().position(Option::is_none).unwrap_or_default();
            shape.insert(at, rest);
        }
        _ => {
            let error = Diagnostic::over(&written, "only one size can be `-1`");
            return Err(cx.model.report(error.help("write the other one down")));
        }
    }
    cx.op(Reshape(Shape(shape)), &[x])
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
    let array = match o.take("dims") {
        Some(syn::Expr::Array(array)) => array,
        Some(first) => {
            let all: Vec<_> = [first].into_iter().chain(o.values()).collect();
            let written: Vec<_> = all.iter().map(|size| text_of(size).replace("- ", "-")).collect();
            let whole = quote::quote!(#(#all),*);
            let error = Diagnostic::over(&whole, "the order of the axes is a list");
            return Err(cx.model.report(error.write(&whole, format!("[{}]", written.join(", ")))));
        }
        None => {
            let error = Diagnostic::new(o.span, "`permute` needs the order of the axes");
            return Err(cx.model.report(error.help("write `permute([0, 2, 1])`")));
        }
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
    let len = crate::lower::dim(&len, &cx.scope());
    let len = cx.ok(len)?;
    let len = cx.at_least(len, 1, "the `length` of `narrow`", o.span)?;
    cx.op(Narrow { axis, start, len }, &[x])
}

/// The elements of a range of an axis: `3..5`, `2..`, `..-1`.
fn slice(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let axis = cx.axis_option(x, o, "dim")?;
    let size = cx.graph.ty(x).dims()[axis].clone();
    let Some(expr) = o.take("range") else {
        let error = Diagnostic::new(o.span, "`slice` needs a range");
        return Err(cx.model.report(error.help("write `slice(dim = 1, 0..4)`")));
    };
    let syn::Expr::Range(range) = &expr else {
        let error = Diagnostic::over(&expr, "expected a range");
        let help = format!("write `0..4`, or `select({axis}, {})` for one element", text_of(&expr));
        return Err(cx.model.report(error.help(help)));
    };
    let start = match &range.start {
        Some(start) => cx.index(start, &size)?,
        None => Dim::lit(0),
    };
    let end = match (&range.end, &range.limits) {
        (None, _) => size,
        (Some(end), syn::RangeLimits::Closed(_)) => cx.index(end, &size)?.plus(&Dim::lit(1)),
        (Some(end), syn::RangeLimits::HalfOpen(_)) => cx.end(end, &size)?,
    };
    let span = syn::spanned::Spanned::span(range);
    let what =
        format!("the length of `{}`", text_of(range).replace("- ", "-").replace(" .. ", ".."));
    let len = cx.at_least(end.minus(&start), 1, &what, span)?;
    cx.op(Narrow { axis, start, len }, &[x])
}

/// `x` repeated to a larger shape, PyTorch's `expand`.
fn expand(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let (written, sizes) = listed(cx, o)?;
    let found = cx.graph.ty(x).clone();
    let Some(new) = sizes.len().checked_sub(found.shape.rank()) else {
        let text = format!("cannot repeat {found} to {} axes", sizes.len());
        return Err(cx.refuse(Mismatch::new(text), Some(x)));
    };
    let mut shape = Vec::new();
    for (axis, size) in sizes.into_iter().enumerate() {
        let own = axis.checked_sub(new).map(|axis| found.dims()[axis].clone());
        shape.push(match (size, own) {
            (Some(size), Some(own)) if own.is_one() || cx.rule.equal(&size, &own) => size,
            (Some(size), None) => size,
            (None, Some(own)) => own,
            (Some(size), Some(own)) => {
                let text = format!("cannot repeat {found}: {own} does not become {size}");
                let help = "sizes of 1 become larger, others stay; `-1` is the size of the input";
                return Err(cx.refuse(Mismatch::new(text).help(help), Some(x)));
            }
            (None, None) => {
                let text = "`-1` is the size of the input, which has no such axis";
                return Err(cx.model.report(Diagnostic::over(&written, text)));
            }
        });
    }
    cx.op(Elementwise::broadcast(Shape(shape)), &[x])
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
