//! The gradient of the input: the gradients of a tile of windows as one product, added where the
//! windows lie.

use super::super::cpu::{Run, share};
use super::super::matrix::scatter;
use super::super::{Conv2dSpec, max, min};
use super::{BLOCK, TERMS, slots};
use crate::device::SharedMut;
use crate::math::SimdLevel;
use crate::ops::matmul::{Block, Tiling, pack_a};
use crate::ops::{check_holds, product, sum};

/// The windows of a tile: a multiple of 32.
const fn tile(spec: &Conv2dSpec) -> usize {
    let fit = BLOCK / max(spec.window(), 1) / 32 * 32;
    min(max(fit, 32), product([max(spec.positions(), 1).div_ceil(32), 32]))
}

pub(super) const fn scratch(spec: &Conv2dSpec) -> usize {
    let slot = product([sum([spec.window(), spec.group_out()]), tile(spec)]);
    sum([spec.weight_len(), product([slots(product([spec.batch, spec.groups])), slot])])
}

/// Packs the weights of each group, `[window, out]`.
fn pack_weights(level: SimdLevel, packed: &mut [f32], w: &[f32], spec: Conv2dSpec) {
    let (out, window) = (spec.group_out(), spec.window());
    for (packed, w) in packed.chunks_exact_mut(out * window).zip(w.chunks_exact(out * window)) {
        pack_a(level, packed, (w, 1, window), (window, out));
    }
}

/// The product of packed `a [rows, k]` and the tile `b [k, cols]`, both rows `tile` floats apart.
///
/// # Safety
/// `rows` rows of `c` are lent to write, with `cols` floats each.
unsafe fn tile_product(
    level: SimdLevel,
    (c, c_row): (*mut f32, usize),
    a: &[f32],
    (b, b_row): (&[f32], usize),
    (rows, k, cols): (usize, usize, usize),
) {
    let tiling = Tiling::of(level);
    assert!(
        b_row.is_multiple_of(tiling.cols) && cols <= b_row,
        "gradiron: a tile has {b_row} columns"
    );
    check_holds("packed weights", a.len(), product([rows, k]));
    check_holds("a tile", b.len(), product([k, b_row]));
    for start in (0..k).step_by(TERMS) {
        // SAFETY: `a` and `b` were checked for `rows` and `b_row`, whole panels, of all `k`; the
        // caller lends `c`. `panel_rows` is that of the level.
        unsafe {
            Block {
                rows,
                cols,
                k: (start, k.min(start + TERMS)),
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

/// `d_x` from `d_y` and `w`.
pub(in super::super) fn input_grad(
    run: Run<'_>,
    d_x: SharedMut<'_, f32>,
    d_y: &[f32],
    w: &[f32],
    scratch: &mut [f32],
) {
    let Run { threads, level, spec, .. } = run;
    let (weights, tiles) = scratch.split_at_mut(spec.weight_len());
    pack_weights(level, weights, w, spec);
    let weights = &*weights;
    let (positions, window, tile) = (spec.positions(), spec.window(), tile(&spec));
    let (out, input) = (spec.group_out(), spec.group_in() * spec.height * spec.width);
    let items = spec.batch * spec.groups;
    let (slots, slot_len) = (slots(items), (window + out) * tile);
    threads.split(run.work(), &mut tiles[..slots * slot_len], slot_len, |slot, scratch| {
        let (cols, outputs) = scratch.split_at_mut(window * tile);
        for item in share(items, slot, slots) {
            // SAFETY: `at` checks the range, and each item has its own channels of its own image.
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
                // SAFETY: `cols` has `window` rows of `tile`, of which `count` is a part.
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
