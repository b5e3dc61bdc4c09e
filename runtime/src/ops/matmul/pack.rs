//! Packing: copies of parts of operands in the order in which [`Panel`](super::tile::Panel) reads
//! them.

use super::vector::{MAX_LANES, Vector, by_level};
use crate::math::SimdLevel;

/// A part of a matrix: its start, the distances between rows and between columns, one of them 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub data: *const f32,
    pub row: usize,
    pub col: usize,
}

/// A copy of `x [rows, cols]` with its columns `width` floats apart, a multiple of `MAX_LANES`;
/// rows from `rows` up to `width` are zeros.
#[derive(Clone, Copy)]
struct Pack {
    out: *mut f32,
    width: usize,
    x: Part,
    rows: usize,
    cols: usize,
}

/// `out [cols, width] = x [rows, cols]ᵀ`, with zeros for rows from `rows` on.
///
/// # Safety
/// `x` is readable, `out` is lent to write; `width` is a multiple of the lanes of `level` and at
/// least `rows`.
pub(super) unsafe fn pack(
    level: SimdLevel,
    (out, width): (*mut f32, usize),
    x: Part,
    (rows, cols): (usize, usize),
) {
    by_level!(level, pack_panel(Pack { out, width, x, rows, cols } => Pack));
}

#[inline(always)]
unsafe fn pack_panel<V: Vector, const ROWS: usize>(pack: Pack) {
    let Pack { out, width, x, rows, cols } = pack;
    for i in (0..width).step_by(V::LANES) {
        let rows = rows.saturating_sub(i).min(V::LANES);
        // SAFETY: rows `i..i + rows` exist, and `out` has lanes `i..i + LANES` in each column.
        unsafe {
            let out = out.add(i);
            let start = x.data.wrapping_add(i * x.row);
            if x.row == 1 {
                let mask = V::mask(rows);
                for p in 0..cols {
                    V::load_part(start.add(p * x.col), mask).store(out.add(p * width));
                }
            } else {
                for p in (0..cols).step_by(V::LANES) {
                    let count = V::LANES.min(cols - p);
                    let mask = V::mask(count);
                    let mut block = [V::splat(0.0); MAX_LANES];
                    for (r, line) in block.iter_mut().enumerate().take(V::LANES) {
                        if r < rows {
                            *line = V::load_part(start.add(r * x.row + p), mask);
                        }
                    }
                    V::transpose(&mut block);
                    for (c, line) in block.iter().enumerate().take(V::LANES) {
                        if c < count {
                            line.store(out.add((p + c) * width));
                        }
                    }
                }
            }
        }
    }
}
