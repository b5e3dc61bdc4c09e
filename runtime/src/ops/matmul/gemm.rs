//! Packing and blocking. The packed operands live in a buffer of the calling thread that is kept,
//! so that a step allocates nothing.

use std::cell::RefCell;

use super::tile::{Block, Tiling};
use crate::device::{SharedMut, Threads};
use crate::math::SimdLevel;
use crate::storage::Storage;

/// Operands are packed in pieces of at most this many rows, columns and terms: 4 MiB each.
const PIECE: usize = 1024;
/// Terms that are summed in registers at a time: a panel of `b` then fits the first-level cache.
const K_BLOCK: usize = 256;
/// A chunk of a run has at least so many multiply-adds when it is cut further.
const CHUNK_WORK: usize = 1 << 18;

/// A matrix somewhere in memory: its start, the distances between rows and between columns.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub data: &'a [f32],
    pub row: usize,
    pub col: usize,
}

thread_local! {
    static PACKED: RefCell<(Storage, Storage)> =
        RefCell::new((Storage::zeros(0), Storage::zeros(0)));
}

fn at_least(storage: &mut Storage, len: usize) -> &mut [f32] {
    if storage.as_slice().len() < len {
        *storage = Storage::zeros(len);
    }
    &mut storage.as_mut_slice()[..len]
}

/// `y [m, n] = a [m, k] · b [k, n]`, `y` row-major.
pub(crate) fn gemm(
    threads: &Threads,
    level: SimdLevel,
    y: &mut [f32],
    a: View<'_>,
    b: View<'_>,
    (m, k, n): (usize, usize, usize),
) {
    if k == 0 || y.is_empty() {
        y.fill(0.0);
        return;
    }
    PACKED.with_borrow_mut(|(packed_a, packed_b)| {
        for p in (0..k).step_by(PIECE) {
            let terms = PIECE.min(k - p);
            for j in (0..n).step_by(PIECE) {
                let cols = PIECE.min(n - j);
                let width = cols.next_multiple_of(Tiling::of(level).cols);
                let packed_b = at_least(packed_b, terms * width);
                let b = View { data: &b.data[p * b.row + j * b.col..], ..b };
                for i in (0..m).step_by(PIECE) {
                    let rows = PIECE.min(m - i);
                    let packed_a = at_least(packed_a, terms * rows);
                    let a = View { data: &a.data[i * a.row + p * a.col..], ..a };
                    let sizes = (rows, terms, cols);
                    pack(threads, level, (packed_a, a), (packed_b, b), sizes, i == 0);
                    let y = &mut y[i * n + j..];
                    multiply(threads, level, (y, n), packed_a, packed_b, sizes, p > 0);
                }
            }
        }
    });
}

/// Packs both operands of a piece, `b` only when `fresh`.
fn pack(
    threads: &Threads,
    level: SimdLevel,
    (packed_a, a): (&mut [f32], View<'_>),
    (packed_b, b): (&mut [f32], View<'_>),
    (rows, terms, cols): (usize, usize, usize),
    fresh: bool,
) {
    let tiling = Tiling::of(level);
    let panel_rows = tiling.panel_rows(rows);
    // Panels of `a` and `b` come in pairs, so that one run packs both.
    let work = 2 * packed_a.len() + 2 * packed_b.len();
    let (a_len, b_len) = (panel_rows * terms, tiling.cols * terms);
    let a_panels = packed_a.len().div_ceil(a_len);
    let b_panels = if fresh { cols.div_ceil(tiling.cols) } else { 0 };
    let pairs = a_panels.max(b_panels);
    let (a_start, b_start) = (SharedMut::new(packed_a), SharedMut::new(packed_b));
    threads.run_if(work, pairs, &|i| {
        if i < a_panels {
            let rows = panel_rows.min(rows - i * panel_rows);
            // SAFETY: panel `i` is inside `packed_a`, which is borrowed, and only this call has it.
            let panel = unsafe {
                let start = a_start.at(i * a_len, rows * terms);
                std::slice::from_raw_parts_mut(start, rows * terms)
            };
            pack_panel_a(panel, View { data: &a.data[i * panel_rows * a.row..], ..a }, rows);
        }
        if i < b_panels {
            let cols = tiling.cols.min(cols - i * tiling.cols);
            // SAFETY: panel `i` is inside `packed_b`, which is borrowed, and only this call has it.
            let panel =
                unsafe { std::slice::from_raw_parts_mut(b_start.at(i * b_len, b_len), b_len) };
            let b = View { data: &b.data[i * tiling.cols * b.col..], ..b };
            pack_panel_b(panel, b, tiling.cols, cols);
        }
    });
}

/// Packs all of `a [rows, terms]` for [`Block`], on this thread.
pub(crate) fn pack_a(
    level: SimdLevel,
    packed: &mut [f32],
    (a, row, col): (&[f32], usize, usize),
    (rows, terms): (usize, usize),
) {
    if rows * terms == 0 {
        return;
    }
    let panel_rows = Tiling::of(level).panel_rows(rows);
    for (i, panel) in packed[..rows * terms].chunks_mut(panel_rows * terms).enumerate() {
        let a = View { data: &a[i * panel_rows * row..], row, col };
        pack_panel_a(panel, a, panel_rows.min(rows - i * panel_rows));
    }
}

/// `panel [terms, rows]`
fn pack_panel_a(panel: &mut [f32], a: View<'_>, rows: usize) {
    if a.row == 1 {
        for (p, out) in panel.chunks_exact_mut(rows).enumerate() {
            out.copy_from_slice(&a.data[p * a.col..][..rows]);
        }
        return;
    }
    transpose(panel, rows, a.data, (a.row, a.col), (rows, panel.len() / rows));
}

/// `panel [terms, width]`, of which `cols` are filled and the others zero.
fn pack_panel_b(panel: &mut [f32], b: View<'_>, width: usize, cols: usize) {
    if b.col == 1 {
        for (p, out) in panel.chunks_exact_mut(width).enumerate() {
            out[..cols].copy_from_slice(&b.data[p * b.row..][..cols]);
            out[cols..].fill(0.0);
        }
        return;
    }
    if cols < width {
        panel.fill(0.0);
    }
    transpose(panel, width, b.data, (b.col, b.row), (cols, panel.len() / width));
}

/// `out[p · out_row + i] = x[i · row + p · col]` for `i < rows`, `p < cols`.
fn transpose(
    out: &mut [f32],
    out_row: usize,
    x: &[f32],
    (row, col): (usize, usize),
    (rows, cols): (usize, usize),
) {
    if col != 1 {
        for p in 0..cols {
            for (i, out) in out[p * out_row..][..rows].iter_mut().enumerate() {
                *out = x[i * row + p * col];
            }
        }
        return;
    }
    let full = rows / 4 * 4;
    for i in (0..full).step_by(4) {
        let lines: [&[f32]; 4] = std::array::from_fn(|r| &x[(i + r) * row..][..cols]);
        for p in (0..cols / 4 * 4).step_by(4) {
            let block: [[f32; 4]; 4] =
                std::array::from_fn(|r| std::array::from_fn(|c| lines[r][p + c]));
            for c in 0..4 {
                let column: [f32; 4] = std::array::from_fn(|r| block[r][c]);
                out[(p + c) * out_row + i..][..4].copy_from_slice(&column);
            }
        }
        for p in cols / 4 * 4..cols {
            let column: [f32; 4] = std::array::from_fn(|r| lines[r][p]);
            out[p * out_row + i..][..4].copy_from_slice(&column);
        }
    }
    for i in full..rows {
        for (p, &x) in x[i * row..][..cols].iter().enumerate() {
            out[p * out_row + i] = x;
        }
    }
}

/// The product of one packed piece: chunks of whole panels, their number given by the sizes alone.
fn multiply(
    threads: &Threads,
    level: SimdLevel,
    (y, y_row): (&mut [f32], usize),
    packed_a: &[f32],
    packed_b: &[f32],
    (rows, terms, cols): (usize, usize, usize),
    accumulate: bool,
) {
    let tiling = Tiling::of(level);
    let panel_rows = tiling.panel_rows(rows);
    let (a_panels, b_panels) = (rows.div_ceil(panel_rows), cols.div_ceil(tiling.cols));
    let (mut a_each, mut b_each) = (a_panels.min(12), b_panels.min(8));
    while a_panels.div_ceil(a_each) * b_panels.div_ceil(b_each) < 8
        && a_each * panel_rows * b_each * tiling.cols * terms > 2 * CHUNK_WORK
    {
        if b_each > 1 && b_each * tiling.cols >= a_each * panel_rows {
            b_each = b_each.div_ceil(2);
        } else if a_each > 1 {
            a_each = a_each.div_ceil(2);
        } else {
            break;
        }
    }
    let (down, across) = (a_panels.div_ceil(a_each), b_panels.div_ceil(b_each));
    assert!(packed_a.len() >= rows * terms);
    assert!(packed_b.len() >= b_panels * tiling.cols * terms);
    let y = SharedMut::new(y);
    // A tile does 16 to 400 multiply-adds in the time of one operation of other kernels.
    threads.run_if(rows * cols * terms / 16, down * across, &|chunk| {
        let (i, j) = (chunk / across * a_each, chunk % across * b_each);
        let (row, col) = (i * panel_rows, j * tiling.cols);
        let rows = (a_each * panel_rows).min(rows - row);
        let cols = (b_each * tiling.cols).min(cols - col);
        for p in (0..terms).step_by(K_BLOCK) {
            // SAFETY: asserted above; chunks are apart in `y`, which is borrowed throughout.
            unsafe {
                Block {
                    rows,
                    cols,
                    k: (p, terms.min(p + K_BLOCK)),
                    a: packed_a.as_ptr().add(row * terms),
                    a_k: terms,
                    panel_rows,
                    b: packed_b.as_ptr().add(col * terms),
                    b_panel: tiling.cols * terms,
                    b_row: tiling.cols,
                    c: y.at(row * y_row + col, (rows - 1) * y_row + cols),
                    c_row: y_row,
                    accumulate: accumulate || p > 0,
                }
                .run(level);
            }
        }
    });
}
