//! The gradient of the input: each [`Phase`] of it is a product with windows of the gradient of
//! the outputs.

use super::super::cpu::{Run, share};
use super::super::matrix::{Phase, place};
use super::super::{Conv2dSpec, max, min};
use super::{Product, Segment, TERMS, TILES, row_len, segments, slots, tile};
use crate::device::SharedMut;

/// The most terms of a phase.
const fn terms(spec: &Conv2dSpec) -> usize {
    spec.group_out() * spec.kernel[0] * spec.kernel[1]
}

/// The most positions of a phase.
const fn positions(spec: &Conv2dSpec) -> usize {
    max(spec.height.div_ceil(spec.stride[0]) * spec.width.div_ceil(spec.stride[1]), 1)
}

/// The columns of a tile.
const fn columns(spec: &Conv2dSpec) -> usize {
    tile(terms(spec), spec.batch * positions(spec))
}

/// The images of an item: as many as fill a tile.
const fn images(spec: &Conv2dSpec) -> usize {
    max(min(columns(spec) / positions(spec), spec.batch / TILES), 1)
}

/// Whether there are phases that lie apart in memory.
const fn strided(spec: &Conv2dSpec) -> bool {
    spec.stride[0] * spec.stride[1] > 1
}

/// The floats of a block of windows.
const fn block(spec: &Conv2dSpec) -> usize {
    min(terms(spec), TERMS) * row_len(columns(spec))
}

/// The floats of a slot: a block of windows, and a result before it is put in place.
const fn slot(spec: &Conv2dSpec) -> usize {
    let result = if strided(spec) { spec.group_in() * row_len(columns(spec)) } else { 0 };
    max(block(spec) + result, 1)
}

pub(super) const fn scratch(spec: &Conv2dSpec) -> usize {
    spec.weight_len() + slots(spec.batch.div_ceil(images(spec)) * spec.groups) * slot(spec)
}

/// The weights of a group for each phase, `[in, out, taps]`, one after the other.
fn arrange_weights(run: Run<'_>, arranged: &mut [f32], w: &[f32]) {
    let spec = run.spec;
    let (input, out, window) = (spec.group_in(), spec.group_out(), spec.window());
    let taps = spec.kernel[0] * spec.kernel[1];
    let mut rest = arranged;
    for w in w.chunks_exact(out * window) {
        for index in 0..spec.stride[0] * spec.stride[1] {
            let phase = Phase::of(&spec, index);
            let [rows, cols] = phase.taps.kernel;
            let row = out * rows * cols;
            let these;
            (these, rest) = std::mem::take(&mut rest).split_at_mut(input * row);
            if row == 0 {
                continue;
            }
            run.threads.split(these.len(), these, ROWS * row, |i, these| {
                for (o, w) in w.chunks_exact(window).enumerate() {
                    let w = &w[i * ROWS * taps..];
                    for t in 0..rows * cols {
                        let tap = phase.tap(&spec, [t / cols, t % cols]);
                        let at = o * rows * cols + t;
                        for (y, w) in these.chunks_exact_mut(row).zip(w.chunks(taps)) {
                            y[at] = w[tap];
                        }
                    }
                }
            });
        }
    }
}

/// Input channels whose weights are arranged at a time.
const ROWS: usize = 16;

/// `d_x` from `d_y` and `w`.
pub(in super::super) fn input_grad(
    run: Run<'_>,
    d_x: SharedMut<'_, f32>,
    d_y: &[f32],
    w: &[f32],
    scratch: &mut [f32],
) {
    let Run { threads, spec, .. } = run;
    let (weights, scratch) = scratch.split_at_mut(spec.weight_len());
    arrange_weights(run, weights, w);
    let (weights, images) = (&*weights, images(&spec));
    let items = spec.batch.div_ceil(images) * spec.groups;
    let (slots, slot_len) = (slots(items), slot(&spec));
    threads.split(run.work(), &mut scratch[..slots * slot_len], slot_len, |slot, scratch| {
        for item in share(items, slot, slots) {
            let (first, group) = (item / spec.groups * images, item % spec.groups);
            let last = spec.batch.min(first + images);
            item_grad(run, &d_x, d_y, weights, scratch, group, first..last);
        }
    });
}

/// All phases of one group of some images.
fn item_grad(
    run: Run<'_>,
    d_x: &SharedMut<'_, f32>,
    d_y: &[f32],
    weights: &[f32],
    scratch: &mut [f32],
    group: usize,
    images: std::ops::Range<usize>,
) {
    let Run { level, spec, .. } = run;
    let (tile, plane, out) = (columns(&spec), spec.height * spec.width, spec.group_out());
    let (input, output) = (spec.group_in() * plane, out * spec.positions());
    let width = row_len(tile);
    let (block, result) = scratch.split_at_mut(block(&spec));
    let mut weights = &weights[group * out * spec.window()..];
    let start = |image: usize| (image * spec.groups + group) * input;
    for index in 0..spec.stride[0] * spec.stride[1] {
        let phase = Phase::of(&spec, index);
        let terms = out * phase.taps.count();
        let product = Product {
            level,
            taps: phase.taps,
            x: (&d_y[group * output..], spec.groups * output),
            a: weights,
            rows: spec.group_in(),
            terms,
        };
        weights = &weights[spec.group_in() * terms..];
        let positions = phase.taps.positions();
        let end = images.end * positions;
        for first in (images.start * positions..end).step_by(tile) {
            let columns = first..end.min(first + tile);
            if !strided(&spec) {
                let c = |s: Segment| d_x.at(start(s.image) + s.start, input - plane + s.len);
                // SAFETY: each item has its own channels of its own images.
                unsafe { product.run((&mut *block, width), columns, (c, plane)) };
                continue;
            }
            if terms == 0 {
                result.fill(0.0);
            }
            let c = SharedMut::new(&mut *result);
            let at = |s: Segment| c.at(s.at, (spec.group_in() - 1) * width + s.len);
            // SAFETY: segments are apart in `result`.
            unsafe { product.run((&mut *block, width), columns.clone(), (at, width)) };
            for s in segments(columns, positions) {
                // SAFETY: each item has its own channels of its own images.
                let d_x =
                    unsafe { std::slice::from_raw_parts_mut(d_x.at(start(s.image), input), input) };
                let (cols, sizes) = ((&*result, width, s.at), (plane, spec.width));
                place(level, d_x, cols, (s.start, s.len), sizes, &phase);
            }
        }
    }
    for image in images {
        run.complete(start(image), input);
    }
}
