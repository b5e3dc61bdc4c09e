//! Convolutions with few positions and packed weights: `yᵀ [positions, out] = windowsᵀ · wᵀ`. The
//! output channels are in the lanes, so weights, which are most of the memory here, are read once,
//! from one end to the other.

use super::cpu::Run;
use super::matrix::gather;
use super::{Conv2dSpec, max, min};
use crate::device::{SharedMut, Threads};
use crate::math::SimdLevel;
use crate::math::{MAX_LANES, Vector, by_level};
use crate::ops::matmul::{Layout, MatmulSpec, Panel, Tiling, View, pack_all};
use crate::ops::{check_holds, product, sum};

/// The most positions of all images: with more, weights are not most of the memory.
const POSITIONS: usize = 256;
/// Output channels of the widest panel.
const ALIGN: usize = 32;
/// Terms that are summed in registers at a time: windows and weights then stay in the first cache.
const TERMS: usize = 256;
/// Floats of the windows that are formed at a time.
const GATHER: usize = 1 << 13;

/// Whether weights are worth packing, whatever the batch; for planes of any size they are, since
/// some may be small.
pub(super) const fn applies(spec: &Conv2dSpec) -> bool {
    spec.groups == 1 && (spec.any_size || spec.positions() <= POSITIONS)
}

/// Whether packed weights are worth using for so many images.
pub(super) const fn serves(spec: &Conv2dSpec) -> bool {
    product([spec.batch, spec.positions()]) <= POSITIONS
}

/// The floats of packed weights.
pub(super) const fn packed_len(spec: &Conv2dSpec) -> usize {
    product([aligned(spec), spec.window()])
}

/// The floats of scratch of [`forward`].
pub(super) const fn scratch(spec: &Conv2dSpec) -> usize {
    let rows = min(product([spec.batch, spec.positions()]), POSITIONS);
    sum([product([spec.window(), width(rows)]), product([aligned(spec), rows])])
}

/// Output channels in whole panels.
const fn aligned(spec: &Conv2dSpec) -> usize {
    product([spec.out_channels.div_ceil(ALIGN), ALIGN])
}

/// The distance of the terms of windows: whole lines, an odd number, so that they spread over the
/// sets of a cache.
const fn width(rows: usize) -> usize {
    (rows.div_ceil(MAX_LANES) | 1) * MAX_LANES
}

/// Packs `w [out, window]`.
pub(super) fn pack(
    threads: &Threads,
    level: SimdLevel,
    packed: &mut [f32],
    w: &[f32],
    spec: Conv2dSpec,
) {
    let (k, n) = (spec.window(), spec.out_channels);
    let product = MatmulSpec { layout: Layout::NT, m: 1, k, n };
    pack_all(threads, level, packed, View::of_b(w, product), (k, n));
}

/// `y` from `x` and packed weights.
pub(super) fn forward(
    run: Run<'_>,
    y: SharedMut<'_, f32>,
    x: &[f32],
    packed: &[f32],
    scratch: &mut [f32],
) {
    let Run { threads, level, spec, .. } = run;
    let (rows, window) = (spec.batch * spec.positions(), spec.window());
    let width = width(rows);
    let (windows, results) = scratch.split_at_mut(window * width);
    let taps = spec.kernel[0] * spec.kernel[1];
    let channels = max(GATHER / (taps * width), 1);
    let (image, plane) = (spec.in_channels * spec.height * spec.width, spec.height * spec.width);
    threads.split(window * rows / 4, windows, channels * taps * width, |i, windows| {
        let first = i * channels;
        let count = channels.min(spec.in_channels - first);
        for n in 0..spec.batch {
            let x = &x[n * image + first * plane..][..count * plane];
            let columns = (&mut *windows, width, n * spec.positions());
            gather(level, columns, x, 0, (0, spec.positions()), spec);
        }
    });
    let windows = &*windows;
    let cols = Tiling::of(level).cols;
    let panels = spec.out_channels.div_ceil(cols);
    check_holds("packed weights", packed.len(), product([panels, window, cols]));
    let results = &mut results[..panels * rows * cols];
    threads.split(run.work(), results, rows * cols, |panel, results| {
        let first = panel * cols;
        let count = cols.min(spec.out_channels - first);
        let weights = &packed[panel * window * cols..][..window * cols];
        // SAFETY: `windows` has `window` terms of `width`, which is `rows` or more, `weights` is
        // one panel of them, and `results` has `rows` rows of a panel.
        unsafe { sums(level, results, (windows, width), weights, (rows, window, count)) };
        for n in 0..spec.batch {
            let start = (n * spec.out_channels + first) * spec.positions();
            let len = count * spec.positions();
            let results = &results[n * spec.positions() * cols..];
            let planes = Planes { y: y.at(start, len), results, cols, count, run };
            // SAFETY: `at` checked these planes of `y`, and no other panel or image has them.
            unsafe { planes.write(level) };
            run.complete(start, len);
        }
    });
}

/// `results [rows, cols] = windowsᵀ · weights` of one panel, of whose columns `count` exist.
///
/// # Safety
/// The slices have these sizes.
unsafe fn sums(
    level: SimdLevel,
    results: &mut [f32],
    (windows, width): (&[f32], usize),
    weights: &[f32],
    (rows, window, count): (usize, usize, usize),
) {
    let tiling = Tiling::of(level);
    let panel_rows = tiling.panel_rows(rows);
    for term in (0..window).step_by(TERMS) {
        for row in (0..rows).step_by(panel_rows) {
            let c = results[row * tiling.cols..].as_mut_ptr();
            // SAFETY: terms `term..` of `windows` and `weights`, and rows `row..` of `windows` and
            // `results`, of which the caller promises `window` and `rows`; `panel_rows` is at most
            // `Tiling::rows`.
            unsafe {
                Panel {
                    rows: panel_rows.min(rows - row),
                    cols: count,
                    k: TERMS.min(window - term),
                    a: windows[term * width + row..].as_ptr(),
                    a_row: 1,
                    a_k: width,
                    b: weights[term * tiling.cols..].as_ptr(),
                    b_row: tiling.cols,
                    b_panel: 0,
                    c,
                    c_row: tiling.cols,
                    accumulate: term > 0,
                }
                .run(level);
            }
        }
    }
}

/// Some planes of an image, `y [count, positions]`, from `results [positions, cols]`.
struct Planes<'a> {
    y: *mut f32,
    results: &'a [f32],
    cols: usize,
    count: usize,
    run: Run<'a>,
}

impl Planes<'_> {
    /// # Safety
    /// `y` is lent to write.
    unsafe fn write(&self, level: SimdLevel) {
        check_holds("results", self.results.len(), product([self.run.spec.positions(), self.cols]));
        by_level!(level, write(self => &Planes<'_>));
    }
}

#[inline(always)]
unsafe fn write<V: Vector, const ROWS: usize>(planes: &Planes<'_>) {
    let positions = planes.run.spec.positions();
    for first in (0..planes.count).step_by(V::LANES) {
        let lanes = V::LANES.min(planes.count - first);
        for at in (0..positions).step_by(V::LANES) {
            let count = V::LANES.min(positions - at);
            // SAFETY: `write` checked that there are results for all positions, in rows of a panel,
            // which is whole registers; the caller lends `count` planes of `y`, of which the mask
            // and `lanes` choose those elements that there are. It has the instruction set of `V`.
            unsafe {
                let mut square = [V::splat(0.0); MAX_LANES];
                for (i, row) in square.iter_mut().enumerate().take(V::LANES) {
                    if i < count {
                        *row = V::load(planes.results.as_ptr().add((at + i) * planes.cols + first));
                    }
                }
                V::transpose(&mut square);
                let mask = V::mask(count);
                for (i, row) in square.iter().enumerate().take(V::LANES) {
                    if i < lanes {
                        row.store_part(planes.y.add((first + i) * positions + at), mask);
                    }
                }
            }
        }
    }
}
