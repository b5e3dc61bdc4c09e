//! The gradient of the weights: products of the gradient of the outputs with transposed windows.

use super::super::Conv2dSpec;
use super::super::cpu::{Run, share};
use super::super::matrix::gather;
use super::super::{max, min};
use super::{SLOTS, Segment, row_len, segments, slots};
use crate::device::SharedMut;
use crate::math::SimdLevel;
use crate::ops::matmul::pack::{Part, pack};
use crate::ops::matmul::{Panel, Tiling};
use crate::ops::{product, sum};

/// The floats of partial gradients, unless one has more.
const PARTIAL: usize = 1 << 18;
/// The most columns of the gradient that an item computes: panels of 32.
const COLUMNS: usize = 96;
/// The most windows of a tile, the terms that are summed in registers at a time.
const TILE: usize = 256;
/// Room for the rows of the left operand that meet a tile at a time.
const ROWS: usize = 16;

/// How the work is cut.
#[derive(Clone, Copy)]
struct Cut {
    /// Columns of a block, a multiple of 32, and how many blocks there are.
    columns: usize,
    blocks: usize,
    /// Parts of the batch, each with a sum of its own.
    parts: usize,
    /// Windows of a tile, a multiple of 16.
    tile: usize,
}

impl Cut {
    const fn of(spec: &Conv2dSpec) -> Self {
        let window = max(spec.window(), 1);
        let columns = window.div_ceil(window.div_ceil(COLUMNS)).next_multiple_of(32);
        let blocks = window.div_ceil(columns);
        let most = max(PARTIAL / max(spec.weight_len(), 1), 1);
        let parts = min(min(max(SLOTS / blocks, 1), max(spec.batch, 1)), most);
        let windows = max(product([spec.batch, spec.positions()]), 1);
        let tile = min(TILE, product([windows.div_ceil(16), 16]));
        Self { columns, blocks, parts, tile }
    }

    /// The floats of a slot: windows, these transposed, and rows of the left operand.
    const fn slot(&self) -> usize {
        self.columns * row_len(self.tile) + (self.columns + ROWS) * self.tile
    }
}

pub(super) const fn scratch(spec: &Conv2dSpec) -> usize {
    let cut = Cut::of(spec);
    let slots = product([slots(product([cut.parts, cut.blocks])), cut.slot()]);
    sum([product([cut.parts - 1, spec.weight_len()]), slots])
}

/// `d_w` from `d_y` and `x`. The sum of the first part of the batch is made in `d_w`.
pub(in super::super) fn weight_grad(
    run: Run<'_>,
    d_w: &mut [f32],
    d_y: &[f32],
    x: &[f32],
    scratch: &mut [f32],
) {
    let (spec, cut, len) = (run.spec, Cut::of(&run.spec), d_w.len());
    let (partial, scratch) = scratch.split_at_mut((cut.parts - 1) * len);
    let items = cut.parts * cut.blocks;
    let (slots, slot_len) = (slots(items), cut.slot());
    let scratch = &mut scratch[..slots * slot_len];
    let (first, others) = (SharedMut::new(d_w), SharedMut::new(partial));
    run.threads.split(run.work(), scratch, slot_len, |slot, scratch| {
        for item in share(items, slot, slots) {
            let (part, block) = (item / cut.blocks, item % cut.blocks);
            let images = share(spec.batch, part, cut.parts);
            let (sums, at) = if part == 0 { (&first, 0) } else { (&others, (part - 1) * len) };
            for group in 0..spec.groups {
                let from = block * cut.columns;
                let count = cut.columns.min(spec.window() - from);
                let start = at + group * (len / spec.groups) + from;
                let sums = sums.at(start, (spec.group_out() - 1) * spec.window() + count);
                let block = Block { level: run.level, spec, cut, group, first: from, count, sums };
                for start in (images.start * spec.positions()..images.end * spec.positions())
                    .step_by(cut.tile)
                {
                    let end = (images.end * spec.positions()).min(start + cut.tile);
                    let accumulate = start > images.start * spec.positions();
                    // SAFETY: `at` checked the columns, `count` of each row, and no other item of
                    // this part of the batch has them; each part has sums of its own.
                    unsafe { block.add(scratch, d_y, x, start..end, accumulate) };
                }
            }
        }
    });
    let partial = &*partial;
    run.threads.split(len * cut.parts, d_w, 1 << 12, |i, d_w| {
        for partial in partial.chunks_exact(len) {
            for (d_w, p) in d_w.iter_mut().zip(&partial[i << 12..]) {
                *d_w += p;
            }
        }
    });
}

/// Columns `first..first + count` of the gradient of a group.
struct Block {
    level: SimdLevel,
    spec: Conv2dSpec,
    cut: Cut,
    group: usize,
    first: usize,
    count: usize,
    /// Rows `spec.window()` apart.
    sums: *mut f32,
}

impl Block {
    /// Adds the products of a tile of windows.
    ///
    /// # Safety
    /// The columns of all rows of the group are lent to write.
    unsafe fn add(
        &self,
        scratch: &mut [f32],
        d_y: &[f32],
        x: &[f32],
        windows: std::ops::Range<usize>,
        accumulate: bool,
    ) {
        let Self { level, spec, cut, group, first, count, sums } = *self;
        let (positions, out) = (spec.positions(), spec.group_out());
        let (width, k) = (row_len(cut.tile), windows.len());
        let tiling = Tiling::of(level);
        let (cols, rest) = scratch.split_at_mut(cut.columns * width);
        let (panels, rows) = rest.split_at_mut(cut.columns * cut.tile);
        let input = spec.group_in() * spec.height * spec.width;
        for Segment { image, start, len, at } in segments(windows.clone(), positions) {
            let x = &x[(image * spec.groups + group) * input..][..input];
            let cols = (&mut cols[..count * width], width, at);
            gather(level, cols, x, first, (start, len), spec);
        }
        for from in (0..count).step_by(tiling.cols) {
            let part = Part { data: cols[from * width..].as_ptr(), row: width, col: 1 };
            let panel = panels[from * k..][..tiling.cols * k].as_mut_ptr();
            let rows = tiling.cols.min(count - from);
            // SAFETY: rows `from..from + rows` of `cols` have `k` floats each, since a row has as
            // many as a tile or more, and the slice is the whole panel.
            unsafe { pack(level, (panel, tiling.cols), part, (rows, k)) };
        }
        let panel_rows = tiling.panel_rows(out);
        for row in (0..out).step_by(panel_rows) {
            let count_rows = panel_rows.min(out - row);
            for Segment { image, start, len, at } in segments(windows.clone(), positions) {
                let from = ((image * spec.groups + group) * out + row) * positions + start;
                for (i, line) in rows.chunks_exact_mut(k).take(count_rows).enumerate() {
                    line[at..at + len].copy_from_slice(&d_y[from + i * positions..][..len]);
                }
            }
            let panel = Panel {
                rows: count_rows,
                cols: count,
                k,
                a: rows.as_ptr(),
                a_row: k,
                a_k: 1,
                b: panels.as_ptr(),
                b_row: tiling.cols,
                b_panel: tiling.cols * k,
                c: sums.wrapping_add(row * spec.window()),
                c_row: spec.window(),
                accumulate,
            };
            // SAFETY: `rows` has `count_rows` lines of `k`, since `ROWS` is more than any
            // `panel_rows`, and the panels `count` columns of `k`; the caller lends the columns of
            // these rows.
            unsafe { panel.run(level) };
        }
    }
}
