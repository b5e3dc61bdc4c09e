//! The gradient of the input, for stride 1. With the rows of `d_y` side by side, as they are,
//!
//! `e[c, v][i, j] = Σ_(o, u) w[o, c, u, v] · d_y[o][i + p₀ − u·d₀, j]`
//!
//! is a product of runs, and `d_x[c][i, j] = Σ_v e[c, v][i, j + p₁ − v·d₁]` sums a few rows.

use super::strip::Strip;
use super::tile::{Product, pack};
use super::{OUTPUTS, TERMS, slots};
use crate::device::SharedMut;
use crate::math::{Vector, by_level};
use crate::ops::conv2d::cpu::{Run, share};
use crate::ops::conv2d::{Conv2dSpec, max, min};
use crate::ops::{product, reach, sum};

/// The floats of the rows `e` at a time, unless a single one is longer.
const ROWS: usize = 8 << 10;

/// Whether these sizes can be computed so.
pub(super) const fn fits(spec: &Conv2dSpec) -> bool {
    let [kh, kw] = spec.kernel;
    spec.stride[0] == 1
        && spec.stride[1] == 1
        && spec.padding[0] < reach(kh, spec.dilation[0])
        && spec.padding[1] < reach(kw, spec.dilation[1])
}

/// Whether it is faster than products.
pub(super) const fn pays(spec: &Conv2dSpec) -> bool {
    product([spec.out_channels, spec.kernel[0]]) <= TERMS
        && product([spec.in_channels, spec.kernel[1]]) <= OUTPUTS
}

/// What the rows of `d_x` that are computed at a time need of `d_y`: a strip of a 1×1 convolution
/// with as much padding as makes `d_y` reach all of `d_x`.
const fn strip(spec: &Conv2dSpec) -> Strip {
    let reach = reach(spec.kernel[0], spec.dilation[0]) - 1;
    let padded = Conv2dSpec {
        in_channels: spec.out_channels,
        height: spec.out_height(),
        width: spec.out_width(),
        kernel: [spec.kernel[0], 1],
        stride: [1, 1],
        padding: [reach - spec.padding[0], 0],
        dilation: [spec.dilation[0], 1],
        ..*spec
    };
    let row = max(product([spec.in_channels, spec.kernel[1], spec.out_width()]), 1);
    let whole = Strip::of(padded);
    let strips = max(spec.height.div_ceil(max(ROWS / row, 1)), whole.count());
    Strip { rows: spec.height.div_ceil(max(strips, 1)), ..whole }
}

/// The floats of the rows `e`.
const fn rows_len(spec: &Conv2dSpec) -> usize {
    product([spec.in_channels, spec.kernel[1], strip(spec).rows, spec.out_width()])
}

/// The floats of scratch.
pub(super) const fn scratch(spec: &Conv2dSpec) -> usize {
    let strip = strip(spec);
    let slots = slots(product([spec.batch, strip.count()]));
    sum([spec.weight_len(), product([slots, sum([strip.len(), rows_len(spec)])])])
}

/// As much for all smaller planes and batches: with the rows `e` of a strip, or of one row.
pub(super) const fn most_scratch(spec: &Conv2dSpec) -> usize {
    let row = product([spec.in_channels, spec.kernel[1], spec.out_width()]);
    let rows = min(max(ROWS, row), product([row, spec.height]));
    let slots = slots(product([spec.batch, spec.height]));
    sum([spec.weight_len(), product([slots, sum([strip(spec).most_len(), rows])])])
}

/// `d_x` from `d_y` and `w`.
pub(in crate::ops::conv2d) fn input_grad(
    run: Run<'_>,
    d_x: SharedMut<'_, f32>,
    d_y: &[f32],
    w: &[f32],
    scratch: &mut [f32],
) {
    let (level, spec, strip) = (run.level, run.spec, strip(&run.spec));
    let [kh, kw] = spec.kernel;
    let (outputs, channels) = (spec.out_channels, spec.in_channels);
    let (weights, slices) = scratch.split_at_mut(spec.weight_len());
    // The strip starts where the last row of the window meets the first row of `d_x`.
    pack(level, weights, w, [channels * kw, outputs, kh], |cv, o, u| {
        ((o * channels + cv / kw) * kh + kh - 1 - u) * kw + cv % kw
    });
    let weights = &*weights;
    let window_rows = strip.window_rows();
    let (image, plane) = (outputs * spec.positions(), spec.height * spec.width);
    let (items, len) = (spec.batch * strip.count(), strip.len() + rows_len(&spec));
    let slots = slots(items);
    run.threads.split(run.work(), &mut slices[..slots * len], len, |slot, floats| {
        let (floats, e) = floats.split_at_mut(strip.len());
        for item in share(items, slot, slots) {
            let (n, i) = (item / strip.count(), item % strip.count());
            strip.fill(level, floats, &d_y[n * image..][..image], i);
            let (first, rows) = strip.outputs(i);
            let product = Product {
                w: weights,
                outputs: channels * kw,
                x: floats.as_ptr(),
                planes: outputs,
                pitch: strip.pitch(),
                rows: &window_rows[..kh],
                filled: strip.filled(i),
                y: e.as_mut_ptr(),
                y_row: rows * spec.out_width(),
                len: rows * spec.out_width(),
            };
            let start = n * channels * plane + first * spec.width;
            let len = rows * spec.width;
            let d_x = d_x.at(start, (channels - 1) * plane + len);
            // SAFETY: the strip has its planes and slack, `e` has the rows, and items write rows
            // of `d_x` of their own.
            unsafe { product.run(level) };
            by_level!(level, sum_rows(Sum { e: e.as_ptr(), d_x, rows, spec } => Sum));
            if strip.count() == 1 {
                run.complete(start, channels * plane);
            } else {
                (0..channels).for_each(|c| run.complete(start + c * plane, len));
            }
        }
    });
}

struct Sum {
    e: *const f32,
    d_x: *mut f32,
    rows: usize,
    spec: Conv2dSpec,
}

#[inline(always)]
unsafe fn sum_rows<V: Vector, const ROWS: usize>(sum: Sum) {
    let Sum { e, d_x, rows, spec } = sum;
    let Conv2dSpec { in_channels, height, width, .. } = spec;
    let (kw, out_width) = (spec.kernel[1], spec.out_width());
    for c in 0..in_channels {
        // SAFETY: rows of `d_x` that the caller lends.
        unsafe { d_x.add(c * height * width).write_bytes(0, rows * width) };
    }
    for v in 0..kw {
        // With stride 1, `e[j]` goes to column `j + v·d − p`.
        let (tap, padding) = (v * spec.dilation[1], spec.padding[1]);
        let columns = spec.columns(v);
        if columns.is_empty() {
            continue;
        }
        let (to, len) = (columns.start + tap - padding, columns.len());
        let whole = len / V::LANES * V::LANES;
        // SAFETY: the caller has the instruction set.
        let mask = unsafe { V::mask(len - whole) };
        for c in 0..in_channels {
            for i in 0..rows {
                // SAFETY: inside row `i` of `e[c, v]` and of `d_x[c]`.
                unsafe {
                    let e = e.add(((c * kw + v) * rows + i) * out_width + columns.start);
                    let d_x = d_x.add((c * height + i) * width + to);
                    for j in (0..whole).step_by(V::LANES) {
                        V::load(d_x.add(j)).add(V::load(e.add(j))).store(d_x.add(j));
                    }
                    if whole < len {
                        let (d_x, e) = (d_x.add(whole), e.add(whole));
                        let total = V::load_part(d_x, mask).add(V::load_part(e, mask));
                        total.store_part(d_x, mask);
                    }
                }
            }
        }
    }
}
