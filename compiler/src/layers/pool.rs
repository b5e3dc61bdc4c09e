//! `MaxPool2d` and `AvgPool2d`, and the steps of a window.

use super::usage::Use;
use crate::dim::Dim;
use crate::graph::ValueId;
use crate::lower::{FnCx, Lowering, Options};
use crate::ops::conv2d::Window;
use crate::ops::pool2d::{Pool, Pool2d};

pub(super) fn pool(l: &mut Use, pool: Pool) -> Lowering<ValueId> {
    let x = crate::lower::image(l.cx, l.x)?;
    let kernel = l.cx.pair_option(&mut l.options, "kernel", None, 1)?;
    let window = window(l.cx, &mut l.options, kernel.clone(), kernel, pool == Pool::Max)?;
    l.op(Pool2d { pool, window, x }, &[l.x])
}

/// The steps of a window, in PyTorch's order: stride, padding, dilation.
pub fn window(
    cx: &mut FnCx,
    options: &mut Options,
    kernel: [Dim; 2],
    stride: [Dim; 2],
    dilates: bool,
) -> Lowering<Window> {
    let stride = cx.pair_option(options, "stride", Some(stride), 1)?;
    let padding = cx.pair_option(options, "padding", Some([Dim::lit(0), Dim::lit(0)]), 0)?;
    let one = [Dim::lit(1), Dim::lit(1)];
    let dilation = if dilates { cx.pair_option(options, "dilation", Some(one), 1)? } else { one };
    Ok(Window { kernel, stride, padding, dilation })
}
