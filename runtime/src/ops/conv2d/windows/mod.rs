//! Convolutions as products with the matrix of windows ("im2col": K. Chellapilla, S. Puri,
//! P. Simard, 2006), a block of it at a time, whose columns are windows of several images. Each
//! slot of scratch serves a fixed share of the work, so results do not depend on the number of
//! threads.

mod input_grad;
mod weight_grad;

pub(super) use input_grad::input_grad;
pub(super) use weight_grad::weight_grad;

use std::ops::Range;

use super::cpu::{Run, share};
use super::matrix::gather;
use super::{Conv2dSpec, Pass, max, min};
use crate::device::SharedMut;
use crate::math::{MAX_LANES, SimdLevel};
use crate::ops::matmul::{Panel, Tiling};
use crate::ops::{check_holds, product};

/// How many blocks of windows there are at a time, which bounds both scratch and threads.
const SLOTS: usize = 16;
/// The floats of a block of windows.
const BLOCK: usize = 1 << 15;
/// Terms that are summed in registers at a time.
const TERMS: usize = 256;
/// Into so many tiles the columns are cut at least, for the threads.
const TILES: usize = 8;

/// The columns of a tile, a multiple of 32, when there are `columns` of `terms`.
const fn tile(terms: usize, columns: usize) -> usize {
    let fit = max(BLOCK / max(min(terms, TERMS), 1) / 32 * 32, 32);
    min(fit, product([max(columns.div_ceil(TILES), 1).div_ceil(32), 32]))
}

/// The distance of rows of `columns`: whole lines, an odd number, so that they spread over the sets
/// of a cache.
const fn row_len(columns: usize) -> usize {
    product([columns.div_ceil(MAX_LANES) | 1, MAX_LANES])
}

/// Slots among which `items` are shared out.
const fn slots(items: usize) -> usize {
    min(SLOTS, max(items, 1))
}

/// The columns of a tile in `conv2d`.
const fn forward_tile(spec: &Conv2dSpec) -> usize {
    tile(spec.window(), product([spec.batch, spec.positions()]))
}

/// The floats of a slot in `conv2d`.
const fn forward_slot(spec: &Conv2dSpec) -> usize {
    max(product([min(spec.window(), TERMS), row_len(forward_tile(spec))]), 1)
}

/// The floats of scratch of a pass.
pub(super) const fn scratch(spec: &Conv2dSpec, pass: Pass) -> usize {
    match pass {
        Pass::Forward => {
            let tiles = product([spec.batch, spec.positions()]).div_ceil(forward_tile(spec));
            product([slots(tiles), forward_slot(spec)])
        }
        Pass::InputGrad => input_grad::scratch(spec),
        Pass::WeightGrad => weight_grad::scratch(spec),
    }
}

/// As much for all smaller planes and batches. A tile that is not as large as it may be has an
/// eighth of the columns at least, and then there are [`TILES`] of them; otherwise their number
/// grows with that of the columns. What a slot has grows with it, and so does all that gradients
/// need.
pub(super) const fn most_scratch(spec: &Conv2dSpec, pass: Pass) -> usize {
    match pass {
        Pass::Forward => {
            let columns = product([spec.batch, spec.positions()]);
            let tiles = max(columns.div_ceil(tile(spec.window(), usize::MAX / TILES)), TILES);
            let slots = slots(min(tiles, columns.div_ceil(32)));
            product([slots, forward_slot(spec)])
        }
        Pass::InputGrad | Pass::WeightGrad => scratch(spec, pass),
    }
}

/// Neighbouring columns of one image: positions `start..start + len` are columns from `at` on.
#[derive(Clone, Copy)]
struct Segment {
    image: usize,
    start: usize,
    len: usize,
    at: usize,
}

/// The segments of a range of columns, when each image has `positions`.
fn segments(columns: Range<usize>, positions: usize) -> impl Iterator<Item = Segment> {
    let mut next = columns.start;
    std::iter::from_fn(move || {
        (next < columns.end).then(|| {
            let (image, start) = (next / positions, next % positions);
            let len = (positions - start).min(columns.end - next);
            let segment = Segment { image, start, len, at: next - columns.start };
            next += len;
            segment
        })
    })
}

/// A product of a matrix with windows of many images.
struct Product<'a> {
    level: SimdLevel,
    spec: Conv2dSpec,
    /// The planes of a group, and the distance of the images.
    x: (&'a [f32], usize),
    /// The left operand, `[rows, terms]`.
    a: &'a [f32],
    rows: usize,
}

impl Product<'_> {
    /// `c = a · windows` for some columns, with `block` for some terms of the windows, rows of
    /// `width`. Segments of `c` start where `c` says, rows of it are `c_row` apart.
    ///
    /// # Safety
    /// `c` says where `rows` rows of each segment are lent to write.
    unsafe fn run(
        &self,
        (block, width): (&mut [f32], usize),
        columns: Range<usize>,
        (c, c_row): (impl Fn(Segment) -> *mut f32, usize),
    ) {
        let Self { level, spec, a, rows, .. } = *self;
        let (positions, terms, tiling) = (spec.positions(), spec.window(), Tiling::of(level));
        let panel_rows = tiling.panel_rows(rows);
        check_holds("weights", a.len(), product([rows, terms]));
        for first in (0..terms).step_by(TERMS) {
            let k = TERMS.min(terms - first);
            let block = &mut block[..k * width];
            for segment in segments(columns.clone(), positions) {
                let Segment { image, start, len, at } = segment;
                let x = &self.x.0[image * self.x.1..];
                gather(level, (&mut *block, width, at), x, first, (start, len), spec);
            }
            for row in (0..rows).step_by(panel_rows) {
                for segment in segments(columns.clone(), positions) {
                    let panel = Panel {
                        rows: panel_rows.min(rows - row),
                        cols: segment.len,
                        k,
                        a: a[row * terms + first..].as_ptr(),
                        a_row: terms,
                        a_k: 1,
                        b: block[segment.at..].as_ptr(),
                        b_row: width,
                        b_panel: tiling.cols,
                        c: c(segment).wrapping_add(row * c_row),
                        c_row,
                        accumulate: first > 0,
                    };
                    // SAFETY: `a` was checked for `rows` rows of all terms; `block` has `k` rows of
                    // `width`, in which the segment ends before the row does. The caller lends
                    // `rows` rows of `c`, and `panel_rows` is at most `Tiling::rows`.
                    unsafe { panel.run(level) };
                }
            }
        }
    }
}

/// `y` from `x` and `w`.
pub(super) fn forward(
    run: Run<'_>,
    y: SharedMut<'_, f32>,
    x: &[f32],
    w: &[f32],
    scratch: &mut [f32],
) {
    let Run { threads, level, spec, .. } = run;
    let (positions, window, tile) = (spec.positions(), spec.window(), forward_tile(&spec));
    let (out, input) = (spec.group_out(), spec.group_in() * spec.height * spec.width);
    let columns = spec.batch * positions;
    let tiles = columns.div_ceil(tile);
    let (slots, slot_len) = (slots(tiles), forward_slot(&spec));
    threads.split(run.work(), &mut scratch[..slots * slot_len], slot_len, |slot, block| {
        for item in share(tiles, slot, slots) {
            let columns = item * tile..columns.min((item + 1) * tile);
            for group in 0..spec.groups {
                let product = Product {
                    level,
                    spec,
                    x: (&x[group * input..], spec.groups * input),
                    a: &w[group * out * window..],
                    rows: out,
                };
                let start = |segment: Segment| {
                    (segment.image * spec.groups + group) * out * positions + segment.start
                };
                let c = |s: Segment| y.at(start(s), (out - 1) * positions + s.len);
                // SAFETY: `at` checked `out` rows of each segment, and no other item has its
                // columns.
                unsafe { product.run((block, row_len(tile)), columns.clone(), (c, positions)) };
                for segment in segments(columns.clone(), positions) {
                    if segment.len == positions {
                        run.complete(start(segment), out * positions);
                    } else {
                        for row in 0..out {
                            run.complete(start(segment) + row * positions, segment.len);
                        }
                    }
                }
            }
        }
    });
}
