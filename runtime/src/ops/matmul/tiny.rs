//! Products of small matrices, without packing: a register of results at a time, either as dots
//! of neighbouring rows or as a sum of scaled rows.

use super::{Layout, Matmul, MatmulSpec};
use crate::device::{Buf, TinyKernels};
use crate::math::{MAX_LANES, Vector};
use crate::ops::product;

impl<V: Vector> Matmul for TinyKernels<'_, V> {
    #[inline(always)]
    fn matmul(&mut self, y: Buf, a: Buf, b: Buf, spec: MatmulSpec) {
        let MatmulSpec { layout, m, k, n } = spec;
        let (y, a, b) = (
            self.to(y, product([m, n])),
            self.from(a, product([m, k])),
            self.from(b, product([k, n])),
        );
        // A column is a row in disguise: the results of a register are neighbours.
        // SAFETY: `to` and `from` checked that `y`, `a` and `b` have the sizes of the spec, of
        // which each case takes the layout; the step has its memory to itself, and whoever made it
        // the instruction set of `V`.
        unsafe {
            match layout {
                Layout::TN if n == 1 && m > 1 => scaled_rows::<V>(y, (b, k, 1), a, (1, k, m)),
                _ if k == 1 && n == 1 => scaled_rows::<V>(y, (b, 1, 1), a, (1, 1, m)),
                _ if n == 1 => dots::<V>(y, b, a, (1, k, m)),
                Layout::NT if k == 1 => scaled_rows::<V>(y, (a, 1, 1), b, (m, 1, n)),
                Layout::NT => dots::<V>(y, a, b, (m, k, n)),
                Layout::NN => scaled_rows::<V>(y, (a, k, 1), b, (m, k, n)),
                Layout::TN => scaled_rows::<V>(y, (a, 1, m), b, (m, k, n)),
            }
        }
    }
}

/// `y [m, n] = a [m, k] · b [n, k]ᵀ`
#[inline(always)]
unsafe fn dots<V: Vector>(
    y: *mut f32,
    a: *const f32,
    b: *const f32,
    (m, k, n): (usize, usize, usize),
) {
    let (full, rest) = (n - n % V::LANES, n % V::LANES);
    for i in 0..m {
        // SAFETY: the caller lends row `i` of `a` and `y`, and all `n` rows of `b`, of which
        // `V::LANES` or the `rest` begin at `j`; it has the instruction set of `V`.
        unsafe {
            let (y, a) = (y.add(i * n), a.add(i * k));
            for j in (0..full).step_by(V::LANES) {
                row_dots::<V>(a, b.add(j * k), k, V::LANES).store(y.add(j));
            }
            if rest == 1 {
                *y.add(full) = row_dot::<V>(a, b.add(full * k), k);
            } else if rest > 0 {
                row_dots::<V>(a, b.add(full * k), k, rest).store_part(y.add(full), V::mask(rest));
            }
        }
    }
}

/// The dots of `a [k]` with `rows` neighbouring rows of `b`.
#[inline(always)]
unsafe fn row_dots<V: Vector>(a: *const f32, b: *const f32, k: usize, rows: usize) -> V {
    let (full, rest) = (k - k % V::LANES, k % V::LANES);
    // SAFETY: the caller lends `a [k]` and `b [rows, k]`, which are read up to `full` in whole
    // registers and behind it by a mask; it has the instruction set of `V`.
    unsafe {
        let mut sums = [V::splat(0.0); MAX_LANES];
        for p in (0..full).step_by(V::LANES) {
            let x = V::load(a.add(p));
            for (r, sum) in sums.iter_mut().enumerate() {
                if r < rows {
                    *sum = sum.add_product(x, V::load(b.add(r * k + p)));
                }
            }
        }
        if rest > 0 {
            let x = V::load_part(a.add(full), V::mask(rest));
            for (r, sum) in sums.iter_mut().enumerate() {
                if r < rows {
                    *sum = sum.add_product(x, V::load_part(b.add(r * k + full), V::mask(rest)));
                }
            }
        }
        V::sum_each(sums)
    }
}

/// The dot of `a [k]` and `b [k]`.
#[inline(always)]
unsafe fn row_dot<V: Vector>(a: *const f32, b: *const f32, k: usize) -> f32 {
    /// Chains of additions that run side by side.
    const CHAINS: usize = 4;
    let rest = k % V::LANES;
    // SAFETY: the caller lends `a [k]` and `b [k]`: registers are read where they end at `k` at the
    // latest, and the rest by a mask; it has the instruction set of `V`.
    unsafe {
        let mut sums = [V::splat(0.0); CHAINS];
        let mut p = 0;
        while p + CHAINS * V::LANES <= k {
            for (c, sum) in sums.iter_mut().enumerate() {
                let p = p + c * V::LANES;
                *sum = sum.add_product(V::load(a.add(p)), V::load(b.add(p)));
            }
            p += CHAINS * V::LANES;
        }
        while p + V::LANES <= k {
            sums[0] = sums[0].add_product(V::load(a.add(p)), V::load(b.add(p)));
            p += V::LANES;
        }
        if rest > 0 {
            let (a, b) =
                (V::load_part(a.add(p), V::mask(rest)), V::load_part(b.add(p), V::mask(rest)));
            sums[1] = sums[1].add_product(a, b);
        }
        sums[0].add(sums[1]).add(sums[2].add(sums[3])).sum()
    }
}

/// `y [m, n] = a · b [k, n]`, where `a (start, row, column)` has these distances of neighbours.
#[inline(always)]
unsafe fn scaled_rows<V: Vector>(
    y: *mut f32,
    (a, a_row, a_col): (*const f32, usize, usize),
    b: *const f32,
    (m, k, n): (usize, usize, usize),
) {
    /// Rows of `y` that share what is read of `b`.
    const ROWS: usize = 4;
    let mut i = 0;
    // SAFETY: rows `i..i + ROWS` are below `m`, and columns `j..` below `n`, all of which the
    // caller lends, with the instruction set of `V`. Without terms `a` and `b` have no memory, and
    // are not read.
    unsafe {
        while i + ROWS <= m {
            let (y, a) = (y.add(i * n), (a.wrapping_add(i * a_row), a_row, a_col));
            for j in (0..n).step_by(V::LANES) {
                tile::<V, ROWS>((y.add(j), n), a, (b.wrapping_add(j), n), k, V::LANES.min(n - j));
            }
            i += ROWS;
        }
        while i < m {
            let (y, a) = (y.add(i * n), (a.wrapping_add(i * a_row), a_row, a_col));
            for j in (0..n).step_by(V::LANES) {
                tile::<V, 1>((y.add(j), n), a, (b.wrapping_add(j), n), k, V::LANES.min(n - j));
            }
            i += 1;
        }
    }
}

/// `ROWS` rows and `cols` columns of a product.
#[inline(always)]
unsafe fn tile<V: Vector, const ROWS: usize>(
    (y, y_row): (*mut f32, usize),
    (a, a_row, a_col): (*const f32, usize, usize),
    (b, b_row): (*const f32, usize),
    k: usize,
    cols: usize,
) {
    /// Terms that are added side by side, since an addition takes some cycles.
    const CHAINS: usize = 4;
    // SAFETY: the caller lends `a [ROWS, k]`, `b [k, cols]` and `y [ROWS, cols]`, with `cols`
    // chosen by a mask, and has the instruction set of `V`.
    unsafe {
        let load = |p: usize| V::load_part(b.add(p * b_row), V::mask(cols));
        let mut sums = [[V::splat(0.0); CHAINS]; ROWS];
        let chains = if ROWS == 1 { CHAINS } else { 1 };
        let mut p = 0;
        while p + chains <= k {
            for c in 0..chains {
                let x = load(p + c);
                for (r, sums) in sums.iter_mut().enumerate() {
                    let a = V::splat(*a.add(r * a_row + (p + c) * a_col));
                    sums[c] = sums[c].add_product(a, x);
                }
            }
            p += chains;
        }
        while p < k {
            let x = load(p);
            for (r, sums) in sums.iter_mut().enumerate() {
                sums[0] = sums[0].add_product(V::splat(*a.add(r * a_row + p * a_col)), x);
            }
            p += 1;
        }
        for (r, [s0, s1, s2, s3]) in sums.into_iter().enumerate() {
            let sum = if ROWS == 1 { s0.add(s1).add(s2.add(s3)) } else { s0 };
            sum.store_part(y.add(r * y_row), V::mask(cols));
        }
    }
}
