//! Convolutions with few channels, without a matrix of windows: sums over shifted runs of
//! [strips](strip), with positions in the lanes. Each slot of scratch serves a fixed share of the
//! work, so results do not depend on the number of threads.

mod input_grad;
mod strip;
mod tile;
mod weight_grad;

pub(super) use input_grad::input_grad;
pub(super) use weight_grad::weight_grad;

use super::cpu::{Run, share};
use super::{Conv2dSpec, Pass, max, min};
use crate::device::SharedMut;
use crate::ops::{product, sum};
use strip::{MAX_KERNEL, Strip};
use tile::{Product, pack};

/// How many strips there are at a time, which bounds both scratch and threads.
const SLOTS: usize = 16;
/// The most terms of a sum, and the most outputs: with more, weights and strips leave the first
/// cache, and products are faster.
const TERMS: usize = 160;
const OUTPUTS: usize = 64;

const fn slots(items: usize) -> usize {
    min(SLOTS, max(items, 1))
}

/// Whether a pass of these sizes can be computed so.
pub(super) const fn fits(spec: &Conv2dSpec, pass: Pass) -> bool {
    let few_rows = spec.groups == 1 && spec.kernel[0] <= MAX_KERNEL;
    few_rows
        && match pass {
            Pass::Forward => true,
            Pass::InputGrad => input_grad::fits(spec),
            Pass::WeightGrad => weight_grad::fits(spec),
        }
}

/// Whether it is faster than products.
pub(super) const fn pays(spec: &Conv2dSpec, pass: Pass) -> bool {
    match pass {
        Pass::Forward => spec.window() <= TERMS && spec.out_channels <= OUTPUTS,
        Pass::InputGrad => input_grad::pays(spec),
        Pass::WeightGrad => weight_grad::pays(spec),
    }
}

/// The floats of scratch of a pass.
pub(super) const fn scratch(spec: &Conv2dSpec, pass: Pass) -> usize {
    match pass {
        Pass::Forward => {
            let strip = Strip::of(*spec);
            let slots = slots(product([spec.batch, strip.count()]));
            sum([spec.weight_len(), product([slots, strip.len()])])
        }
        Pass::InputGrad => input_grad::scratch(spec),
        Pass::WeightGrad => weight_grad::scratch(spec),
    }
}

/// As much for all smaller planes and batches.
pub(super) const fn most_scratch(spec: &Conv2dSpec, pass: Pass) -> usize {
    match pass {
        Pass::Forward => {
            // A strip has one row of outputs at least.
            let slots = slots(product([spec.batch, spec.out_height()]));
            sum([spec.weight_len(), product([slots, Strip::of(*spec).most_len()])])
        }
        Pass::InputGrad => input_grad::most_scratch(spec),
        Pass::WeightGrad => weight_grad::most_scratch(spec),
    }
}

/// `y = x ∗ w`
pub(super) fn forward(
    run: Run<'_>,
    y: SharedMut<'_, f32>,
    x: &[f32],
    w: &[f32],
    scratch: &mut [f32],
) {
    let (weights, strips) = scratch.split_at_mut(run.spec.weight_len());
    prepare(run, weights, w);
    forward_prepared(run, y, x, weights, strips);
}

/// The weights in the order in which [`forward_prepared`] reads them.
pub(super) fn prepare(run: Run<'_>, prepared: &mut [f32], w: &[f32]) {
    let (spec, [kh, kw]) = (run.spec, run.spec.kernel);
    let (channels, planes) = (spec.in_channels, Strip::of(spec).planes());
    pack(run.level, prepared, w, [spec.out_channels, planes, kh], |o, plane, u| {
        ((o * channels + plane % channels) * kh + u) * kw + plane / channels
    });
}

/// `y = x ∗ w`, of prepared weights.
pub(super) fn forward_prepared(
    run: Run<'_>,
    y: SharedMut<'_, f32>,
    x: &[f32],
    weights: &[f32],
    strips: &mut [f32],
) {
    let (level, spec, strip) = (run.level, run.spec, Strip::of(run.spec));
    let kh = spec.kernel[0];
    let (outputs, channels, positions) = (spec.out_channels, spec.in_channels, spec.positions());
    let rows = strip.window_rows();
    let image = channels * spec.height * spec.width;
    let (items, len) = (spec.batch * strip.count(), strip.len());
    let slots = slots(items);
    run.threads.split(run.work(), &mut strips[..slots * len], len, |slot, floats| {
        for item in share(items, slot, slots) {
            let (n, i) = (item / strip.count(), item % strip.count());
            strip.fill(level, floats, &x[n * image..][..image], i);
            let (first, count) = strip.outputs(i);
            let start = n * outputs * positions + first * spec.out_width();
            let len = count * spec.out_width();
            let product = Product {
                w: weights,
                outputs,
                x: floats.as_ptr(),
                planes: strip.planes(),
                pitch: strip.pitch(),
                rows: &rows[..kh],
                filled: strip.filled(i),
                y: y.at(start, (outputs - 1) * positions + len),
                y_row: positions,
                len,
            };
            // SAFETY: `floats` is a strip of `strip.len()`: its planes and the slack for a register
            // beyond the last run. `at` checked the rows of `y`, and no other item has these.
            unsafe { product.run(level) };
            if strip.count() == 1 {
                run.complete(start, outputs * positions);
            } else {
                (0..outputs).for_each(|o| run.complete(start + o * positions, len));
            }
        }
    });
}
