//! Packing: copies of parts of operands in the order in which [`Panel`](super::tile::Panel) reads
//! them.

use crate::math::{MAX_LANES, SimdLevel, Vector, by_level, prefetch};

/// A part of a matrix: its start, the distances between rows and between columns, one of them 1.
#[derive(Clone, Copy, Debug)]
pub(in crate::ops) struct Part {
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
/// `x [rows, cols]` is readable, and `out [cols, width]` lent to write; `width` is a multiple of
/// the lanes of `level` and at least `rows`.
pub(in crate::ops) unsafe fn pack(
    level: SimdLevel,
    (out, width): (*mut f32, usize),
    x: Part,
    (rows, cols): (usize, usize),
) {
    by_level!(level, pack_panel(Pack { out, width, x, rows, cols } => Pack));
}

/// How many floats ahead of their use lines of memory are asked for.
const AHEAD: usize = 64;

#[inline(always)]
unsafe fn pack_panel<V: Vector, const ROWS: usize>(pack: Pack) {
    let Pack { out, width, x, rows, cols } = pack;
    for i in (0..width).step_by(V::LANES) {
        let rows = rows.saturating_sub(i).min(V::LANES);
        // SAFETY: the caller lends rows `i..i + rows` of `x`, of which lines are read in whole
        // registers where `p + LANES` is at most `cols`, else by a mask; `out` has `i..i + LANES`
        // in each column, since `width` is a multiple of `LANES`. The caller has the instruction
        // set of `V`.
        unsafe {
            let out = out.add(i);
            let start = x.data.wrapping_add(i * x.row);
            if x.row == 1 {
                let mask = V::mask(rows);
                for p in 0..cols {
                    V::load_part(start.add(p * x.col), mask).store(out.add(p * width));
                }
                continue;
            }
            let full = if rows == V::LANES { cols / V::LANES * V::LANES } else { 0 };
            for p in (0..full).step_by(V::LANES) {
                let mut block = [V::splat(0.0); MAX_LANES];
                for (r, line) in block.iter_mut().enumerate().take(V::LANES) {
                    let at = start.add(r * x.row + p);
                    *line = V::load(at);
                    prefetch(at.wrapping_add(AHEAD));
                }
                V::transpose(&mut block);
                for (c, line) in block.iter().enumerate().take(V::LANES) {
                    line.store(out.add((p + c) * width));
                }
            }
            for p in (full..cols).step_by(V::LANES) {
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

/// `x [rows, cols]` with contiguous rows, in panels of `width` columns `[rows, width]`, with zeros
/// behind the last column.
///
/// # Safety
/// `x [rows, cols]` is readable, and `out` lent to write, as many panels as hold `cols` columns;
/// `width` is that of two registers of `level`.
pub(in crate::ops) unsafe fn pack_lines(
    level: SimdLevel,
    out: *mut f32,
    x: Part,
    (rows, cols): (usize, usize),
    width: usize,
) {
    by_level!(level, lines(Pack { out, width, x, rows, cols } => Pack));
}

#[inline(always)]
unsafe fn lines<V: Vector, const ROWS: usize>(pack: Pack) {
    let Pack { out, x, rows, cols, .. } = pack;
    let width = 2 * V::LANES;
    let full = cols / width * width;
    for p in 0..rows {
        // SAFETY: `p` is a row of `x` and of each panel. Columns below `full` fill whole panels; of
        // the last panel `left` columns are read, by masks, and both registers written. The caller
        // has the instruction set of `V`.
        unsafe {
            let (line, out) = (x.data.add(p * x.row), out.add(p * width));
            for j in (0..full).step_by(width) {
                prefetch(line.wrapping_add(LINES_AHEAD * x.row + j));
                prefetch(line.wrapping_add(LINES_AHEAD * x.row + j + V::LANES));
                let out = out.add(j * rows);
                V::load(line.add(j)).store(out);
                V::load(line.add(j + V::LANES)).store(out.add(V::LANES));
            }
            if full < cols {
                let out = out.add(full * rows);
                let left = cols - full;
                let line = line.add(full);
                V::load_part(line, V::mask(left)).store(out);
                let second = V::mask(left.saturating_sub(V::LANES));
                V::load_part(line.wrapping_add(V::LANES), second).store(out.add(V::LANES));
            }
        }
    }
}

/// How many rows ahead of their use lines of memory are asked for.
const LINES_AHEAD: usize = 8;
