//! Convolutions as products with the matrix of windows ("im2col": K. Chellapilla, S. Puri,
//! P. Simard, 2006), a tile of it at a time. Each slot of scratch serves a fixed share of the work,
//! so results do not depend on the number of threads.

use super::cpu::{Run, share};
use super::matrix::{gather, scatter};
use super::{Conv2dSpec, Pass, max, min};
use crate::device::SharedMut;
use crate::math::SimdLevel;
use crate::ops::matmul::{Block, Tiling, dot, pack_a};

/// How many tiles of windows there are at a time, which bounds both scratch and threads.
const SLOTS: usize = 16;
/// The floats of a tile of windows, unless one row of windows has more.
const TILE: usize = 1 << 15;
/// The floats of partial weight gradients, unless one has more.
const PARTIAL: usize = 1 << 18;

/// Terms that are summed in registers at a time.
const K_BLOCK: usize = 256;

impl Conv2dSpec {
    /// The windows of a tile in `conv2d` and `conv2d_input_grad`: a multiple of 32.
    const fn tile(&self) -> usize {
        let fit = TILE / max(self.window(), 1) / 32 * 32;
        min(max(fit, 32), max(self.positions(), 1).next_multiple_of(32))
    }

    /// Slots among which `items` are shared out.
    const fn slots(items: usize) -> usize {
        min(SLOTS, max(items, 1))
    }

    /// Tiles of one group of one image.
    const fn image_tiles(&self) -> usize {
        self.positions().div_ceil(self.tile())
    }

    /// Into how many parts the batch is cut for the weight gradient, each with a partial sum.
    const fn weight_parts(&self) -> usize {
        min(max(PARTIAL / max(self.weight_len(), 1), 1), Self::slots(self.batch))
    }

    /// Input channels of a block for the weight gradient, whose windows are formed on their own.
    const fn weight_channels(&self) -> usize {
        max(self.group_in().div_ceil(SLOTS / self.weight_parts()), 1)
    }

    /// Blocks of channels for the weight gradient.
    const fn weight_blocks(&self) -> usize {
        self.group_in().div_ceil(self.weight_channels())
    }

    /// The windows of a tile for the weight gradient: a multiple of 16.
    const fn weight_tile(&self) -> usize {
        let rows = self.weight_rows();
        let fit = min(2 * TILE / max(rows, 1), 1024) / 16 * 16;
        min(max(fit, 16), max(self.batch * self.positions(), 1).next_multiple_of(16))
    }

    /// The rows of a tile for the weight gradient: the windows' and the outputs'.
    const fn weight_rows(&self) -> usize {
        self.weight_channels() * self.kernel[0] * self.kernel[1] + self.group_out()
    }

    /// Floats of a group of one image of `x`.
    const fn group_input(&self) -> usize {
        self.group_in() * self.height * self.width
    }
}

/// The floats of scratch of a pass.
pub(super) const fn scratch(spec: &Conv2dSpec, pass: Pass) -> usize {
    match pass {
        Pass::Forward => {
            let slots = Conv2dSpec::slots(spec.batch * spec.image_tiles());
            spec.weight_len() + slots * spec.window() * spec.tile()
        }
        Pass::InputGrad => {
            let slots = Conv2dSpec::slots(spec.batch * spec.groups);
            spec.weight_len() + slots * (spec.window() + spec.group_out()) * spec.tile()
        }
        Pass::WeightGrad => {
            let items = spec.weight_parts() * spec.weight_blocks();
            spec.weight_parts() * spec.weight_len()
                + items * spec.weight_rows() * spec.weight_tile()
        }
    }
}

/// Packs the weights of each group, `[out, window]` or its transpose.
fn pack_weights(
    level: SimdLevel,
    packed: &mut [f32],
    w: &[f32],
    spec: Conv2dSpec,
    transposed: bool,
) {
    let (out, window) = (spec.group_out(), spec.window());
    for (packed, w) in packed.chunks_exact_mut(out * window).zip(w.chunks_exact(out * window)) {
        if transposed {
            pack_a(level, packed, (w, 1, window), (window, out));
        } else {
            pack_a(level, packed, (w, window, 1), (out, window));
        }
    }
}

/// The product of packed `a [rows, k]` and the tile `b [k, cols]`, both rows `tile` floats apart.
#[allow(clippy::too_many_arguments)]
unsafe fn tile_product(
    level: SimdLevel,
    (c, c_row): (*mut f32, usize),
    a: &[f32],
    (b, b_row): (&[f32], usize),
    (rows, k, cols): (usize, usize, usize),
) {
    let tiling = Tiling::of(level);
    debug_assert!(a.len() >= rows * k && b.len() >= k * b_row && b_row % tiling.cols == 0);
    for start in (0..k).step_by(K_BLOCK) {
        // SAFETY: the operands are as long as asserted, and the caller lends `c`.
        unsafe {
            Block {
                rows,
                cols,
                k: (start, k.min(start + K_BLOCK)),
                a: a.as_ptr(),
                a_k: k,
                panel_rows: tiling.panel_rows(rows),
                b: b.as_ptr(),
                b_panel: tiling.cols,
                b_row,
                c,
                c_row,
                accumulate: start > 0,
            }
            .run(level);
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
    let (weights, tiles) = scratch.split_at_mut(spec.weight_len());
    pack_weights(level, weights, w, spec, false);
    let weights = &*weights;
    let (positions, window, tile) = (spec.positions(), spec.window(), spec.tile());
    let (image_tiles, out) = (spec.image_tiles(), spec.group_out());
    let items = spec.batch * image_tiles;
    let slots = Conv2dSpec::slots(items);
    threads.split(run.work(), &mut tiles[..slots * window * tile], window * tile, |slot, cols| {
        for item in share(items, slot, slots) {
            let (image, start) = (item / image_tiles, item % image_tiles * tile);
            let count = tile.min(positions - start);
            for group in 0..spec.groups {
                let channels = image * spec.groups + group;
                let x = &x[channels * spec.group_input()..][..spec.group_input()];
                gather(level, (cols, tile, 0), (x, spec.group_in()), (start, count), spec);
                let weights = &weights[group * out * window..][..out * window];
                let sizes = (out, window, count);
                // SAFETY: `y` has `out` rows of `positions` for this group of this image; items
                // write apart.
                unsafe {
                    let c = y.at(channels * out * positions + start, (out - 1) * positions + count);
                    tile_product(level, (c, positions), weights, (cols, tile), sizes);
                }
                if count == positions {
                    run.complete(channels * out * positions, out * positions);
                } else {
                    for row in channels * out..(channels + 1) * out {
                        run.complete(row * positions + start, count);
                    }
                }
            }
        }
    });
}

/// `d_x` from `d_y` and `w`.
pub(super) fn input_grad(
    run: Run<'_>,
    d_x: SharedMut<'_, f32>,
    d_y: &[f32],
    w: &[f32],
    scratch: &mut [f32],
) {
    let Run { threads, level, spec, .. } = run;
    let (weights, tiles) = scratch.split_at_mut(spec.weight_len());
    pack_weights(level, weights, w, spec, true);
    let weights = &*weights;
    let (positions, window, tile) = (spec.positions(), spec.window(), spec.tile());
    let (out, input) = (spec.group_out(), spec.group_input());
    let items = spec.batch * spec.groups;
    let slots = Conv2dSpec::slots(items);
    let slot_len = (window + out) * tile;
    threads.split(run.work(), &mut tiles[..slots * slot_len], slot_len, |slot, scratch| {
        let (cols, outputs) = scratch.split_at_mut(window * tile);
        for item in share(items, slot, slots) {
            // SAFETY: each item has its own channels of its own image.
            let d_x = unsafe { std::slice::from_raw_parts_mut(d_x.at(item * input, input), input) };
            d_x.fill(0.0);
            let weights = &weights[item % spec.groups * out * window..][..out * window];
            for start in (0..positions).step_by(tile) {
                let count = tile.min(positions - start);
                for (o, row) in outputs.chunks_exact_mut(tile).enumerate() {
                    let d_y = &d_y[(item * out + o) * positions + start..][..count];
                    row[..count].copy_from_slice(d_y);
                }
                let sizes = (window, out, count);
                // SAFETY: `cols` has `window` rows of `tile`.
                unsafe {
                    let c = cols.as_mut_ptr();
                    tile_product(level, (c, tile), weights, (outputs, tile), sizes);
                }
                let cols = (&*cols, tile);
                scatter(level, (d_x, spec.group_in()), cols, (start, count), spec);
            }
            run.complete(item * input, input);
        }
    });
}

/// `d_w` from `d_y` and `x`.
pub(super) fn weight_grad(
    run: Run<'_>,
    d_w: &mut [f32],
    d_y: &[f32],
    x: &[f32],
    scratch: &mut [f32],
) {
    let (parts, len) = (run.spec.weight_parts(), d_w.len());
    let (partial, tiles) = scratch.split_at_mut(parts * len);
    partial.fill(0.0);
    partial_grads(run, partial, d_y, x, tiles);
    run.threads.split(len * parts, d_w, 1 << 12, |i, d_w| {
        d_w.copy_from_slice(&partial[i << 12..][..d_w.len()]);
        for part in 1..parts {
            for (d_w, p) in d_w.iter_mut().zip(&partial[part * len + (i << 12)..]) {
                *d_w += p;
            }
        }
    });
}

/// Adds to `partial [parts, out, window]`: each part sums its share of the batch.
fn partial_grads(run: Run<'_>, partial: &mut [f32], d_y: &[f32], x: &[f32], tiles: &mut [f32]) {
    let Run { threads, level, spec, .. } = run;
    let (parts, blocks) = (spec.weight_parts(), spec.weight_blocks());
    let slot_len = spec.weight_rows() * spec.weight_tile();
    let partial = SharedMut::new(partial);
    let tiles = &mut tiles[..parts * blocks * slot_len];
    threads.split(run.work(), tiles, slot_len, |item, scratch| {
        let (part, block) = (item / blocks, item % blocks);
        let images = share(spec.batch, part, parts);
        let first = block * spec.weight_channels();
        let channels = spec.weight_channels().min(spec.group_in() - first);
        for group in 0..spec.groups {
            let mut tile = WeightTile { spec, level, group, first, channels, filled: 0 };
            for image in images.clone() {
                tile.image(scratch, image, d_y, x, &partial, part);
            }
            tile.flush(scratch, &partial, part);
        }
    });
}

/// The windows and outputs of several images side by side, for one block of channels.
struct WeightTile {
    spec: Conv2dSpec,
    level: SimdLevel,
    group: usize,
    first: usize,
    channels: usize,
    filled: usize,
}

impl WeightTile {
    /// Adds the windows of an image, and flushes whenever the tile is full.
    fn image(
        &mut self,
        scratch: &mut [f32],
        image: usize,
        d_y: &[f32],
        x: &[f32],
        partial: &SharedMut<f32>,
        part: usize,
    ) {
        let spec = self.spec;
        let (positions, width, out) = (spec.positions(), spec.weight_tile(), spec.group_out());
        let group = image * spec.groups + self.group;
        let plane = spec.height * spec.width;
        let x = &x[group * spec.group_input() + self.first * plane..][..self.channels * plane];
        let mut start = 0;
        while start < positions {
            let count = (width - self.filled).min(positions - start);
            // A few windows at the end of a tile are not worth their setup.
            if count < positions - start && self.filled > 0 {
                self.flush(scratch, partial, part);
                continue;
            }
            let (outputs, cols) = scratch.split_at_mut(out * width);
            for (o, row) in outputs.chunks_exact_mut(width).enumerate() {
                let d_y = &d_y[(group * out + o) * positions + start..][..count];
                row[self.filled..][..count].copy_from_slice(d_y);
            }
            gather(
                self.level,
                (cols, width, self.filled),
                (x, self.channels),
                (start, count),
                spec,
            );
            self.filled += count;
            start += count;
        }
    }

    /// Adds the products of the tile to the partial gradient.
    fn flush(&mut self, scratch: &mut [f32], partial: &SharedMut<f32>, part: usize) {
        let spec = self.spec;
        let (width, out, window) = (spec.weight_tile(), spec.group_out(), spec.window());
        let taps = spec.kernel[0] * spec.kernel[1];
        let k = self.filled.next_multiple_of(16);
        let rows = out + self.channels * taps;
        for row in scratch.chunks_exact_mut(width).take(rows) {
            row[self.filled..k].fill(0.0);
        }
        let (outputs, cols) = scratch.split_at(out * width);
        let start = (part * spec.groups + self.group) * out * window + self.first * taps;
        let cols_len = self.channels * taps;
        // SAFETY: items differ in their part or in their columns of the gradient.
        unsafe {
            let c = partial.at(start, (out - 1) * window + cols_len);
            let sizes = (out, k, cols_len);
            dot(self.level, (c, window), (outputs.as_ptr(), width), (cols.as_ptr(), width), sizes);
        }
        self.filled = 0;
    }
}
