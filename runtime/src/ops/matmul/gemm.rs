//! Cutting a product into chunks, and each chunk into blocks that stay in cache.
//!
//! A chunk is a rectangle of `y` that one thread computes, whole sums at a time. It packs the
//! columns of `b` that it needs, a block of terms at a time, into a block that it borrows, or on its
//! stack where they are few: they stay in the second-level cache. `a` is read in place, a panel at a time, which stays in the
//! first level while it meets all these columns: a copy would wait for memory, while products
//! overlap with their loads. A small `b` with contiguous rows is read in place too.

use std::mem::MaybeUninit;

use super::bf16::{self, Form};
use super::cut::Cut;
use super::few::few_rows;
use super::pack::{Part, pack, pack_lines};
use super::packed::{self, Panels};
use super::tile::{Panel, Tiling};
use super::view::View;
use crate::device::{Precision, SharedMut, Threads, blocks};
use crate::math::SimdLevel;
use crate::ops::{Finish, product};

/// Most floats of a row of `a` in a block: a panel then has 28 KiB.
const K_BLOCK: usize = 512;
/// Columns of a packed panel of `a`.
const PACKED_ROWS: usize = 16;
/// Floats of a packed block of `b` on the stack, when it needs no more, or when no larger block is to be
/// had: a panel of `a` and the narrowest of `b` fit into it. Each page of a frame costs some ns.
const FRAME: usize = 24 << 10;
const SMALL_FRAME: usize = 4 << 10;
/// Operands of at most so many floats are read in place: they stay in the second-level cache.
const IN_PLACE: usize = 32 << 10;

/// `y [m, n] = a [m, k] · b [k, n]`, `y` row-major; `finish` gets whole rows, or parts of rows.
pub(crate) fn gemm(
    threads: &Threads,
    (level, precision): (SimdLevel, Precision),
    y: &SharedMut<'_, f32>,
    a: View<'_>,
    b: View<'_>,
    (m, k, n): (usize, usize, usize),
    finish: Finish<'_>,
) {
    if m == 0 || n == 0 {
        return;
    }
    let c = y.at(0, product([m, n]));
    if k == 0 {
        // SAFETY: `at` checked the range, and nobody else uses it before `finish`; zero bytes are
        // floats.
        unsafe { c.write_bytes(0, m * n) };
        if let Some(finish) = finish {
            finish(0, m * n);
        }
        return;
    }
    a.assert_holds(m, k);
    b.assert_holds(k, n);
    let form = Form::of(level, precision, (m, k, n));
    let is_packed = form == Form::Floats && !b.panels.is_empty();
    assert!(
        !is_packed || b.panels.len() >= packed::whole_len(k, n),
        "gradiron: {FEW_PANELS} (a bug)"
    );
    let work = product([m * n, k]) / 16;
    let product = Product { level, form, y, a, b, k, n, finish, is_packed };
    if is_packed && m <= packed::FEW_ROWS && a.col == 1 {
        let cols = (FEW_ROWS_CHUNK / k).max(1).next_multiple_of(packed::ALIGN);
        return threads.run_if(n * k / 4, n.div_ceil(cols), &|chunk| {
            product.few_packed(m, (chunk * cols, cols.min(n - chunk * cols)));
        });
    }
    if m <= FEW_ROWS && a.col == 1 && b.row == 1 {
        // Each weight is read once: a product of few rows costs what reading costs.
        let cols = (FEW_ROWS_CHUNK / k).max(1).next_multiple_of(16);
        return threads.run_if(n * k / 4, n.div_ceil(cols), &|chunk| {
            product.few_rows(m, (chunk * cols, cols.min(n - chunk * cols)));
        });
    }
    let cut = Cut::of(level, (m, k, n));
    threads.run_if(work, cut.down * cut.across, &|chunk| {
        let (row, col) = (chunk / cut.across * cut.rows, chunk % cut.across * cut.cols);
        product.chunk((row, cut.rows.min(m - row)), (col, cut.cols.min(n - col)));
    });
}

const FEW_PANELS: &str = "a packed operand is smaller than its product says";

/// Packs all columns of `b [k, n]`, whose columns are contiguous.
pub(crate) fn pack_all(
    threads: &Threads,
    level: SimdLevel,
    packed: &mut [f32],
    b: View<'_>,
    (k, n): (usize, usize),
) {
    b.assert_holds(k, n);
    assert!(packed.len() >= packed::whole_len(k, n), "gradiron: {FEW_PANELS} (a bug)");
    let width = Tiling::of(level).cols;
    let panels = &mut packed[..n.div_ceil(width) * width * k];
    threads.split(k * n / 4, panels, width * k, |panel, out| {
        let (first, b) = (panel * width, b.transposed());
        let cols = width.min(n - first);
        // SAFETY: `assert_holds` found the columns `first..first + cols` in `b`; `out` is a panel of
        // `width · k` floats, since `panels` is whole panels.
        unsafe { pack(level, (out.as_mut_ptr(), width), b.part(first, 0), (cols, k)) };
    });
}

/// Up to so many rows, products of rows are sums along the rows of both operands.
const FEW_ROWS: usize = 8;
/// Floats of `b` in a chunk of such a product.
const FEW_ROWS_CHUNK: usize = 1 << 17;

struct Product<'a> {
    level: SimdLevel,
    form: Form,
    y: &'a SharedMut<'a, f32>,
    a: View<'a>,
    b: View<'a>,
    k: usize,
    n: usize,
    finish: Finish<'a>,
    /// Whether the panels of `b` are used.
    is_packed: bool,
}

/// Where a range starts and how long it is.
type Range = (usize, usize);

/// The pieces of `range` of `each` elements.
fn pieces((start, len): Range, each: usize) -> impl Iterator<Item = Range> {
    (0..len).step_by(each).map(move |i| (start + i, each.min(len - i)))
}

/// The blocks of a chunk.
#[derive(Clone, Copy)]
struct Blocks {
    rows: Range,
    cols: Range,
    /// Terms and columns of a block.
    terms: usize,
    width: usize,
    pack_a: bool,
    pack_b: bool,
}

/// Memory for packing, on the stack.
#[repr(align(64))]
struct Packed<const LEN: usize>([MaybeUninit<f32>; LEN]);

impl Product<'_> {
    fn chunk(&self, rows: Range, cols: Range) {
        let tiling = Tiling::of(self.level);
        let pack_a = self.form != Form::Floats;
        let pack_b = pack_a
            || !self.is_packed && self.b.col != 1
            || !self.is_packed && (rows.1 > 2 * tiling.rows && self.b.row * self.k > IN_PLACE);
        let k = self.k.div_ceil(self.form.terms());
        let depth = k.div_ceil(k.div_ceil(K_BLOCK));
        let panel = if pack_a { PACKED_ROWS * depth } else { 0 };
        let terms = depth * self.form.terms();
        // Sums are the same for any width: each column has its own.
        let blocks_of = |floats: usize| {
            let most = (floats - panel) / depth / tiling.cols * tiling.cols;
            let width = cols.1.div_ceil(cols.1.div_ceil(most)).next_multiple_of(tiling.cols);
            (Blocks { rows, cols, terms, width, pack_a, pack_b }, panel + width * depth)
        };
        let (blocks, floats) = blocks_of(blocks::FLOATS);
        if !pack_b {
            return self.blocks(blocks, std::ptr::dangling_mut());
        } else if floats <= SMALL_FRAME {
            return self.blocks_on_stack::<SMALL_FRAME>(blocks);
        } else if floats <= FRAME {
            return self.blocks_on_stack::<FRAME>(blocks);
        }
        match blocks::borrow() {
            Some(mut block) => self.blocks(blocks, block.floats()),
            None => self.blocks_on_stack::<FRAME>(blocks_of(FRAME).0),
        }
    }

    #[inline(never)]
    fn blocks_on_stack<const LEN: usize>(&self, blocks: Blocks) {
        let mut packed = MaybeUninit::<Packed<LEN>>::uninit();
        self.blocks(blocks, packed.as_mut_ptr().cast());
    }

    /// `packed` has room for a block where `blocks` says to pack.
    fn blocks(&self, blocks: Blocks, packed: *mut f32) {
        for cols in pieces(blocks.cols, blocks.width) {
            for terms in pieces((0, self.k), blocks.terms) {
                self.block(blocks, cols, terms, packed);
            }
        }
    }

    /// Adds a block of terms to a part of `y`; the first terms overwrite it.
    fn block(&self, blocks: Blocks, cols: Range, terms: Range, packed: *mut f32) {
        let (level, tiling) = (self.level, Tiling::of(self.level));
        let depth = terms.1.div_ceil(self.form.terms());
        let packed_b =
            if blocks.pack_a { packed.wrapping_add(PACKED_ROWS * depth) } else { packed };
        let (b, b_row, b_panel) = if self.is_packed {
            // SAFETY: `gemm` asserted that the panels have all columns; `cols` starts with one of them.
            let b = unsafe { self.b.panels.as_ptr().add(cols.0 * self.k + terms.0 * tiling.cols) };
            (b, tiling.cols, tiling.cols * self.k)
        } else if blocks.pack_b {
            self.pack_b(cols, terms, packed_b);
            (packed_b.cast_const(), tiling.cols, tiling.cols * depth)
        } else {
            let b = self.b.part(terms.0, cols.0);
            (b.data, b.row, tiling.cols)
        };
        let panel_rows = tiling.panel_rows(blocks.rows.1);
        for rows in pieces(blocks.rows, panel_rows) {
            let mut a = self.a.part(rows.0, terms.0);
            if blocks.pack_a {
                // SAFETY: `gemm` asserted that `a` holds these rows and terms; `chunk` chose a frame with
                // room for `PACKED_ROWS` rows of a block's terms before the panels of `b`, and a panel
                // has no more rows than that, see `PACKED_ROWS`.
                unsafe {
                    bf16::pack(level, self.form, (packed, PACKED_ROWS), a, (rows.1, terms.1))
                };
                a = Part { data: packed, row: 1, col: PACKED_ROWS };
            }
            let c = self.y.at(rows.0 * self.n + cols.0, (rows.1 - 1) * self.n + cols.1);
            let panel = Panel {
                rows: rows.1,
                cols: cols.1,
                k: depth,
                a: a.data,
                a_row: a.row,
                a_k: a.col,
                b,
                b_row,
                b_panel,
                c,
                c_row: self.n,
                accumulate: terms.0 > 0,
            };
            // SAFETY: `y.at` checked the rectangle of `y`, and chunks and their blocks are apart in it.
            // `a` and `b` are in place, where `gemm` asserted that they hold these rows and columns, or
            // packed above for this panel. `panel_rows` is at most `Tiling::rows`. The form `Pairs`
            // exists only where `Form::of` found bf16.
            unsafe {
                match self.form {
                    #[cfg(target_arch = "x86_64")]
                    Form::Pairs => bf16::pairs::run(&panel),
                    _ => panel.run(level),
                }
            }
            if terms.0 + terms.1 == self.k {
                self.finished(rows, cols);
            }
        }
    }

    fn pack_b(&self, cols: Range, terms: Range, packed: *mut f32) {
        let width = Tiling::of(self.level).cols;
        if self.form != Form::Floats {
            let b = self.b.transposed().part(cols.0, terms.0);
            // SAFETY: `gemm` asserted that `b` holds these terms and columns; `chunk` chose a frame with
            // room for `width` columns, whole panels, of a block's terms, behind the panel of `a`.
            return unsafe {
                bf16::pack(self.level, self.form, (packed, width), b, (cols.1, terms.1))
            };
        }
        if self.b.col == 1 {
            let b = self.b.part(terms.0, cols.0);
            // SAFETY: `gemm` asserted that `b` holds these terms and columns; `chunk` chose a frame with
            // room for `width` columns, whole panels, of a block's terms.
            return unsafe { pack_lines(self.level, packed, b, (terms.1, cols.1), width) };
        }
        for piece in pieces(cols, width) {
            let b = self.b.transposed().part(piece.0, terms.0);
            let panel = packed.wrapping_add((piece.0 - cols.0) * terms.1);
            // SAFETY: `gemm` asserted that `b` holds these terms and columns; the frame that `chunk` chose
            // has room for whole panels, of which this is one.
            unsafe { pack(self.level, (panel, width), b, (piece.1, terms.1)) };
        }
    }

    fn few_rows(&self, m: usize, cols: Range) {
        let c = self.y.at(cols.0, (m - 1) * self.n + cols.1);
        let b = self.b.part(0, cols.0);
        let sizes = (m, self.k, cols.1);
        // SAFETY: `y.at` checked the columns of `y`, in which chunks are apart; `gemm` asserted that `a`
        // and `b` hold these rows and columns, and called this where the rows of both are contiguous.
        unsafe {
            few_rows(
                self.level,
                (c, self.n),
                (self.a.data.as_ptr(), self.a.row),
                (b.data, b.col),
                sizes,
            );
        }
        self.finished((0, m), cols);
    }

    fn few_packed(&self, m: usize, cols: Range) {
        let panels = Panels {
            rows: m,
            cols: cols.1,
            k: self.k,
            a: self.a.data.as_ptr(),
            a_row: self.a.row,
            b: self.b.panels[cols.0 * self.k..].as_ptr(),
            c: self.y.at(cols.0, (m - 1) * self.n + cols.1),
            c_row: self.n,
        };
        // SAFETY: `y.at` checked the columns of `y`, in which chunks are apart; `gemm` asserted that `a`
        // and the panels are long enough. Chunks are whole panels but for the last. `m` is at most
        // `FEW_ROWS`, and `a` in place.
        unsafe { panels.run(self.level) };
        self.finished((0, m), cols);
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::MatmulSpec;
    use super::*;

    /// Where other threads have all blocks, sums are the same.
    #[test]
    fn a_product_without_a_block_has_the_same_bits() {
        use super::super::Layout;
        for precision in [Precision::F32, Precision::Bf16] {
            let (m, k, n) = (70, 1500, 300);
            let spec = MatmulSpec { layout: Layout::NT, m, k, n };
            let numbers = |len: usize| (0..len).map(|i| (i % 37) as f32 - 17.3).collect::<Vec<_>>();
            let (a, b) = (numbers(m * k), numbers(k * n));
            let product = || {
                let mut data = vec![f32::NAN; m * n];
                let how = (SimdLevel::detect(), precision);
                let (a, b) = (View::of_a(&a, spec), View::of_b(&b, spec));
                gemm(&Threads::new(1), how, &SharedMut::new(&mut data), a, b, spec.sizes(), None);
                data
            };
            blocks::make();
            let expected = product();
            let lent: Vec<_> = std::iter::from_fn(blocks::borrow).collect();
            let found = product();
            drop(lent);
            assert!(expected.iter().zip(&found).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }

    /// Every element is finished once, after its sum is complete.
    #[test]
    fn the_finish_gets_the_whole_result() {
        use super::super::Layout;
        let sizes = [(1, 5, 3), (3, 300, 700), (64, 784, 130), (200, 900, 300), (2, 0, 3)];
        for (m, k, n) in sizes {
            for layout in [Layout::NN, Layout::NT, Layout::TN] {
                let spec = MatmulSpec { layout, m, k, n };
                let (a, b) = (vec![1.0; m * k], vec![1.0; k * n]);
                let mut data = vec![f32::NAN; m * n];
                let y = SharedMut::new(&mut data);
                let seen = Mutex::new(vec![0; m * n]);
                let finish = |start: usize, len: usize| {
                    for i in start..start + len {
                        // SAFETY: what is finished is this call's own, and `at` checks the range.
                        assert_eq!(unsafe { *y.at(i, 1) }, k as f32);
                        seen.lock().unwrap()[i] += 1;
                    }
                };
                let (threads, level) = (Threads::new(2), SimdLevel::detect());
                let (a, b) = (View::of_a(&a, spec), View::of_b(&b, spec));
                gemm(&threads, (level, Precision::F32), &y, a, b, spec.sizes(), Some(&finish));
                assert!(seen.lock().unwrap().iter().all(|&n| n == 1), "{spec:?}");
            }
        }
    }
}
