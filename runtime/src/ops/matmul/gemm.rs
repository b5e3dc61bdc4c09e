//! Cutting a product into chunks, and each chunk into blocks that stay in cache.
//!
//! A chunk is a rectangle of `y` that one thread computes, whole sums at a time. It packs the
//! columns of `b` that it needs, a block of terms at a time, into memory of its stack, where they
//! stay in the second-level cache; it packs a panel of `a` right before it multiplies it with all
//! these columns, so that the panel stays in the first level. Operands that already lie well are
//! read in place.

use std::mem::MaybeUninit;

use super::MatmulSpec;
use super::pack::{Part, pack};
use super::tile::{Panel, Tiling};
use crate::device::{SharedMut, Threads};
use crate::math::SimdLevel;
use crate::ops::Finish;

/// Most terms of a block: a packed panel of `a` is then 16 KiB.
const K_BLOCK: usize = 256;
/// Floats of the packed block of `b`: half of a second-level cache of 1 MiB.
const B_BLOCK: usize = 128 << 10;
/// The same for small products, for which a large stack frame costs too much.
const SMALL_B_BLOCK: usize = 4 << 10;
/// The lines of a packed panel of `a` are so many floats long.
const A_WIDTH: usize = 16;

/// A matrix somewhere in memory: its start, the distances between rows and between columns, one of
/// them 1.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub data: &'a [f32],
    pub row: usize,
    pub col: usize,
}

impl<'a> View<'a> {
    /// The left operand of a product.
    pub fn of_a(data: &'a [f32], spec: MatmulSpec) -> Self {
        let (row, col) = spec.a_strides();
        Self { data, row, col }
    }

    /// The right operand of a product.
    pub fn of_b(data: &'a [f32], spec: MatmulSpec) -> Self {
        let (row, col) = spec.b_strides();
        Self { data, row, col }
    }

    /// The part that starts at an element.
    fn part(&self, row: usize, col: usize) -> Part {
        let start = row * self.row + col * self.col;
        Part { data: self.data.as_ptr().wrapping_add(start), row: self.row, col: self.col }
    }

    fn transposed(self) -> Self {
        Self { row: self.col, col: self.row, ..self }
    }

    fn assert_holds(&self, rows: usize, cols: usize) {
        assert!(
            self.data.len() > (rows - 1) * self.row + (cols - 1) * self.col
                && (self.row == 1 || self.col == 1),
            "gradiron: an operand is smaller than its product says (a bug)"
        );
    }
}

/// `y [m, n] = a [m, k] · b [k, n]`, `y` row-major; `finish` gets whole rows, or parts of rows.
pub(crate) fn gemm(
    threads: &Threads,
    level: SimdLevel,
    y: &SharedMut<'_, f32>,
    a: View<'_>,
    b: View<'_>,
    (m, k, n): (usize, usize, usize),
    finish: Finish<'_>,
) {
    if m == 0 || n == 0 {
        return;
    }
    let c = y.at(0, m * n);
    if k == 0 {
        // SAFETY: `at` checked the range, and nobody else uses it before `finish`.
        unsafe { c.write_bytes(0, m * n) };
        if let Some(finish) = finish {
            finish(0, m * n);
        }
        return;
    }
    a.assert_holds(m, k);
    b.assert_holds(k, n);
    let cut = Cut::of(level, (m, k, n));
    let product = Product { level, y, a, b, k, n, finish };
    threads.run_if(m * n * k / 16, cut.down * cut.across, &|chunk| {
        let (row, col) = (chunk / cut.across * cut.rows, chunk % cut.across * cut.cols);
        product.chunk((row, cut.rows.min(m - row)), (col, cut.cols.min(n - col)));
    });
}

/// How a result is cut into chunks, by sizes alone.
struct Cut {
    rows: usize,
    cols: usize,
    down: usize,
    across: usize,
}

impl Cut {
    /// Chunks have about so many multiply-adds, or more when there are enough of them.
    const WORK: usize = 1 << 19;
    const CHUNKS: usize = 8;

    fn of(level: SimdLevel, (m, k, n): (usize, usize, usize)) -> Self {
        let tiling = Tiling::of(level);
        let wanted = (m * n).saturating_mul(k).div_ceil(Self::WORK).min(Self::CHUNKS);
        let (mut down, mut across) = (1, 1);
        while down * across < wanted {
            // Chunks that are long in both directions pack least.
            if n / across >= m / down && n / across >= 2 * tiling.cols {
                across *= 2;
            } else if m / down >= 2 * tiling.rows {
                down *= 2;
            } else {
                break;
            }
        }
        let rows = m.div_ceil(down);
        let cols = n.div_ceil(across).next_multiple_of(tiling.cols);
        Self { rows, cols, down: m.div_ceil(rows), across: n.div_ceil(cols) }
    }
}

/// Memory for packing, on the stack.
#[repr(align(64))]
struct Packed<const A: usize, const B: usize> {
    b: [MaybeUninit<f32>; B],
    a: [MaybeUninit<f32>; A],
}

struct Product<'a> {
    level: SimdLevel,
    y: &'a SharedMut<'a, f32>,
    a: View<'a>,
    b: View<'a>,
    k: usize,
    n: usize,
    finish: Finish<'a>,
}

/// Where a range starts and how long it is.
type Range = (usize, usize);

impl Product<'_> {
    fn chunk(&self, rows: Range, cols: Range) {
        let width = cols.1.next_multiple_of(Tiling::of(self.level).cols);
        if width * self.k <= SMALL_B_BLOCK && self.k <= 64 {
            self.chunk_with::<{ A_WIDTH * 64 }, SMALL_B_BLOCK>(rows, cols);
        } else {
            self.chunk_with::<{ A_WIDTH * K_BLOCK }, B_BLOCK>(rows, cols);
        }
    }

    /// Its stack frame holds `A + B` floats.
    #[inline(never)]
    fn chunk_with<const A: usize, const B: usize>(&self, rows: Range, cols: Range) {
        let mut packed = MaybeUninit::<Packed<A, B>>::uninit();
        let packed = packed.as_mut_ptr();
        // SAFETY: fields of memory of this frame.
        let (packed_a, packed_b) = unsafe { (&raw mut (*packed).a, &raw mut (*packed).b) };
        let (packed_a, packed_b) = (packed_a.cast::<f32>(), packed_b.cast::<f32>());
        let width = Tiling::of(self.level).cols;
        let terms = self.k.div_ceil(self.k.div_ceil(A / A_WIDTH));
        let most = B / terms / width * width;
        let each = cols.1.div_ceil(cols.1.div_ceil(most)).next_multiple_of(width);
        for col in (cols.0..cols.0 + cols.1).step_by(each) {
            let cols = (col, each.min(cols.0 + cols.1 - col));
            for p in (0..self.k).step_by(terms) {
                let terms = (p, terms.min(self.k - p));
                self.block(rows, cols, terms, packed_a, packed_b);
            }
        }
    }

    /// Adds a block of terms to a part of `y`; the first terms overwrite it.
    fn block(
        &self,
        rows: Range,
        cols: Range,
        terms: Range,
        packed_a: *mut f32,
        packed_b: *mut f32,
    ) {
        let (level, tiling) = (self.level, Tiling::of(self.level));
        let b = if self.b_in_place(rows.1) {
            let b = self.b.part(terms.0, cols.0);
            (b.data, b.row, tiling.cols)
        } else {
            self.pack_b(cols, terms, packed_b);
            (packed_b.cast_const(), tiling.cols, tiling.cols * terms.1)
        };
        let a_in_place = self.a_in_place(cols.1);
        let panel_rows = tiling.panel_rows(rows.1);
        for row in (rows.0..rows.0 + rows.1).step_by(panel_rows) {
            let count = panel_rows.min(rows.0 + rows.1 - row);
            let a = self.a.part(row, terms.0);
            let (a, a_row, a_k) = if a_in_place {
                (a.data, a.row, a.col)
            } else {
                // SAFETY: the part is inside `a`, and a panel is at most `A_WIDTH` wide.
                unsafe { pack(level, (packed_a, A_WIDTH), a, (count, terms.1)) };
                (packed_a.cast_const(), 1, A_WIDTH)
            };
            // SAFETY: chunks are apart in `y`; the operands are as described.
            unsafe {
                Panel {
                    rows: count,
                    cols: cols.1,
                    k: terms.1,
                    a,
                    a_row,
                    a_k,
                    b: b.0,
                    b_row: b.1,
                    b_panel: b.2,
                    c: self.y.at(row * self.n + cols.0, (count - 1) * self.n + cols.1),
                    c_row: self.n,
                    accumulate: terms.0 > 0,
                }
                .run(level);
            }
            if terms.0 + terms.1 == self.k {
                self.finished((row, count), cols);
            }
        }
    }

    /// `b` is read in place when its rows are contiguous and it is read only a few times.
    fn b_in_place(&self, rows: usize) -> bool {
        self.b.col == 1 && rows <= 2 * Tiling::of(self.level).rows
    }

    /// `a` is read in place when it is read only a few times.
    fn a_in_place(&self, cols: usize) -> bool {
        cols <= 4 * Tiling::of(self.level).cols
    }

    fn pack_b(&self, cols: Range, terms: Range, packed: *mut f32) {
        let width = Tiling::of(self.level).cols;
        for j in (0..cols.1).step_by(width) {
            let b = self.b.transposed().part(cols.0 + j, terms.0);
            let sizes = (width.min(cols.1 - j), terms.1);
            // SAFETY: the part is inside `b`; the block has room for all panels.
            unsafe { pack(self.level, (packed.add(j * terms.1), width), b, sizes) };
        }
    }

    fn finished(&self, rows: Range, cols: Range) {
        let Some(finish) = self.finish else { return };
        if cols.1 == self.n {
            return finish(rows.0 * self.n, rows.1 * self.n);
        }
        for row in rows.0..rows.0 + rows.1 {
            finish(row * self.n + cols.0, cols.1);
        }
    }
}

/// Packs all of `a [rows, terms]` for [`Block`](super::tile::Block), on this thread.
pub(crate) fn pack_a(
    level: SimdLevel,
    packed: &mut [f32],
    (a, row, col): (&[f32], usize, usize),
    (rows, terms): (usize, usize),
) {
    let panel_rows = Tiling::of(level).panel_rows(rows);
    for first in (0..rows).step_by(panel_rows) {
        let count = panel_rows.min(rows - first);
        let panel = &mut packed[first * terms..][..count * terms];
        let a = &a[first * row..];
        for (p, out) in panel.chunks_exact_mut(count).enumerate() {
            for (i, out) in out.iter_mut().enumerate() {
                *out = a[i * row + p * col];
            }
        }
    }
}
