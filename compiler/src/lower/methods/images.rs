//! Methods of images, `[batch, channels, height, width]`.

use super::Method;
use crate::diagnostics::Diagnostic;
use crate::dim::{Dim, Shape};
use crate::graph::ValueId;
use crate::layers::{pool as layer, window};
use crate::lower::{FnCx, Lowering, Options};
use crate::ops::Mismatch;
use crate::ops::conv2d::Window;
use crate::ops::interpolate::{Interpolate, Mode};
use crate::ops::pool2d::{Pool, Pool2d};
use crate::ops::reduce::{Kind, Reduce};
use crate::ops::shaping::Reshape;
use crate::vocabulary::{Example, Input, OptionRow};

pub const ADAPTIVE_OPTIONS: &[OptionRow] = &[OptionRow::pair("output_size", 1)];
pub const INTERPOLATE_OPTIONS: &[OptionRow] = &[
    OptionRow::pair("scale_factor", 1),
    OptionRow::words("mode", &["nearest", "bilinear"], "nearest|bilinear"),
    OptionRow::flag("align_corners", false),
];
pub const ADAPTIVE_SHAPES: &str =
    "`x [batch, C, H, W]` → `y [batch, C, O, O]`, where `O` divides `H` and `W`";
pub const ADAPTIVE: &str = "y = the means of equal parts of each plane";
pub const INTERPOLATE_SHAPES: &str =
    "`x [batch, C, H, W]` → `y [batch, C, scale_factor · H, scale_factor · W]`";
pub const INTERPOLATE: &str = "y = the nearest element of x; with `mode = bilinear` the mean of \
    the four around it, weighed by how near they are. `align_corners` belongs to `bilinear`";

/// A row of images.
const fn row(
    name: &'static str,
    build: fn(&mut FnCx, ValueId, &mut Options) -> Lowering<ValueId>,
) -> Method {
    Method { input: Input::Images, ..Method::new(name, build) }
}

pub(super) const MAX_POOL2D: Method = Method {
    options: layer::MAX_OPTIONS,
    shapes: layer::SHAPES,
    formula: layer::MAX,
    source: "torch.nn.functional.max_pool2d",
    example: Example::function("x: [batch, 8, 28, 28]) -> [batch, 8, 14, 14] { x.max_pool2d(2) }"),
    ..row("max_pool2d", |cx, x, o| pool(cx, x, o, Pool::Max))
};
pub(super) const AVG_POOL2D: Method = Method {
    options: layer::AVG_OPTIONS,
    shapes: layer::SHAPES,
    formula: layer::AVG,
    source: "torch.nn.functional.avg_pool2d",
    example: Example::function("x: [batch, 8, 28, 28]) -> [batch, 8, 14, 14] { x.avg_pool2d(2) }"),
    ..row("avg_pool2d", |cx, x, o| pool(cx, x, o, Pool::Avg))
};
pub(super) const ADAPTIVE_AVG_POOL2D: Method = Method {
    options: ADAPTIVE_OPTIONS,
    shapes: ADAPTIVE_SHAPES,
    formula: ADAPTIVE,
    source: "torch.nn.functional.adaptive_avg_pool2d",
    example: Example::function(
        "x: [batch, 8, 28, 28]) -> [batch, 8, 1, 1] { x.adaptive_avg_pool2d(1) }",
    ),
    ..row("adaptive_avg_pool2d", adaptive_avg_pool)
};
pub(super) const INTERPOLATE_ROW: Method = Method {
    options: INTERPOLATE_OPTIONS,
    shapes: INTERPOLATE_SHAPES,
    formula: INTERPOLATE,
    source: "torch.nn.functional.interpolate",
    example: Example::function(
        "x: [batch, 8, 14, 14]) -> [batch, 8, 28, 28] { x.interpolate(2, mode = bilinear) }",
    ),
    ..row("interpolate", interpolate)
};

fn pool(cx: &mut FnCx, x: ValueId, o: &mut Options, pool: Pool) -> Lowering<ValueId> {
    let dims = image(cx, x)?;
    let kernel = cx.pair_option(o, "kernel", None)?;
    let window = window(cx, o, kernel.clone(), kernel, pool == Pool::Max)?;
    cx.op(Pool2d { pool, window, x: dims }, &[x])
}

/// To `output_size` averages: windows that divide the image.
pub fn adaptive_avg_pool(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let dims = image(cx, x)?;
    let output = cx.pair_option(o, "output_size", None)?;
    if output.iter().all(Dim::is_one) {
        let y = cx.op(Reduce { kind: Kind::Mean, axes: vec![2, 3] }, &[x])?;
        let [n, c, h, w] = [dims[0].clone(), dims[1].clone(), Dim::lit(1), Dim::lit(1)];
        return cx.op(Reshape(Shape(vec![n, c, h, w])), &[y]);
    }
    let mut kernel = Vec::new();
    for (size, output) in dims[2..].iter().zip(&output) {
        let Some(side) = size.divided_by(output) else {
            let text = format!("cannot cut {size} into {output} equal parts");
            let help = "the output size has to divide the height and the width";
            return Err(cx.refuse(Mismatch::new(text).help(help), Some(x)));
        };
        kernel.push(side);
    }
    let [stride, kernel] = [(); 2].map(|()| [kernel[0].clone(), kernel[1].clone()]);
    let [padding, dilation] = [[Dim::lit(0), Dim::lit(0)], [Dim::lit(1), Dim::lit(1)]];
    let window = Window { kernel, stride, padding, dilation };
    cx.op(Pool2d { pool: Pool::Avg, window, x: dims }, &[x])
}

/// `scale_factor` times larger; `mode` is `nearest` or `bilinear`.
pub fn interpolate(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let dims = image(cx, x)?;
    let scale = cx.pair_option(o, "scale_factor", None)?;
    let mode = match cx.word_option(o, "mode")? {
        "bilinear" => Mode::Bilinear,
        _ => Mode::Nearest,
    };
    let corners = o.take_named("align_corners");
    let mode = match (mode, corners) {
        (mode, None) => mode,
        (Mode::Nearest, Some(expr)) => {
            let error = Diagnostic::over(&expr, "`align_corners` belongs to `mode = bilinear`");
            return Err(cx.model.report(error));
        }
        (mode, Some(expr)) => match cx.ok(Options::bool(&expr))? {
            true => Mode::BilinearCorners,
            false => mode,
        },
    };
    cx.op(Interpolate { mode, scale, x: dims }, &[x])
}

/// The four sizes of a batch of images.
pub fn image(cx: &mut FnCx, x: ValueId) -> Lowering<Vec<Dim>> {
    let ty = cx.graph.ty(x).clone();
    if ty.shape.rank() == 4 {
        return Ok(ty.shape.0);
    }
    let text = format!("expects images [batch, channels, height, width] but receives {ty}");
    Err(cx.refuse(Mismatch::new(text), Some(x)))
}
