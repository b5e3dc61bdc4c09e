//! Products of few rows with a matrix that was packed before: each panel of it is read once, from
//! one end to the other.

use crate::math::SimdLevel;
use crate::math::{Vector, by_level};
use crate::ops::product;

/// Matrices of fewer elements are not packed: they stay in cache, and calls cost more than reads.
const LEAST: usize = 1 << 14;
/// Columns of the widest panel: packed matrices are as long as whole panels, at any level.
pub const ALIGN: usize = 32;
/// The most rows of [`Panels`].
pub const FEW_ROWS: usize = 2;

/// The floats of the packed form of a matrix of `n` columns of `k` elements.
#[inline]
pub const fn len(k: usize, n: usize) -> usize {
    if product([k, n]) < LEAST { 0 } else { whole_len(k, n) }
}

/// The floats of its panels.
#[inline]
pub const fn whole_len(k: usize, n: usize) -> usize {
    product([n.div_ceil(ALIGN), ALIGN, k])
}

/// `c [rows, cols] = a [rows, k] · b [k, cols]`, `b` in panels of `Tiling::cols` columns
/// `[k, cols]`.
#[derive(Clone, Copy, Debug)]
pub struct Panels {
    /// At most [`FEW_ROWS`].
    pub rows: usize,
    pub cols: usize,
    pub k: usize,
    pub a: *const f32,
    pub a_row: usize,
    pub b: *const f32,
    pub c: *mut f32,
    pub c_row: usize,
}

impl Panels {
    /// # Safety
    /// The ranges described above are lent for this call, `c` to write; rows of `a` are contiguous.
    pub unsafe fn run(&self, level: SimdLevel) {
        by_level!(level, panels(self => &Panels));
    }
}

#[inline(always)]
unsafe fn panels<V: Vector, const ROWS: usize>(p: &Panels) {
    let width = 2 * V::LANES;
    let (mut first, mut left) = (0, p.cols);
    // An addition takes four cycles, and two start in each: so many panels at a time make eight
    // sums.
    // SAFETY: `first` is the first column of a panel, and `count` panels follow it, since `cols`
    // columns have so many; the caller lends all of them, and has the instruction set of `V`.
    unsafe {
        while left > 0 {
            let count = left.div_ceil(width).min(4 / p.rows);
            match (p.rows, count) {
                (1, 4) => panel_sums::<V, 1, 4>(p, first),
                (1, 3) => panel_sums::<V, 1, 3>(p, first),
                (1, 2) => panel_sums::<V, 1, 2>(p, first),
                (1, 1) => panel_sums::<V, 1, 1>(p, first),
                (2, 2) => panel_sums::<V, 2, 2>(p, first),
                (2, 1) => panel_sums::<V, 2, 1>(p, first),
                _ => unreachable!("there are at most {FEW_ROWS} rows"),
            }
            first += count * width;
            left = left.saturating_sub(count * width);
        }
    }
}

/// The sums of `PANELS` panels from column `first` on.
#[inline(always)]
unsafe fn panel_sums<V: Vector, const ROWS: usize, const PANELS: usize>(p: &Panels, first: usize) {
    let width = 2 * V::LANES;
    // SAFETY: the caller lends `ROWS` rows of `a`, and panels of `k` rows of whole registers from
    // column `first` on. Results are stored for columns below `cols` alone, which it lends too.
    unsafe {
        let mut sums = [[[V::splat(0.0); 2]; PANELS]; ROWS];
        let b: [*const f32; PANELS] = std::array::from_fn(|i| p.b.add((first + i * width) * p.k));
        for t in 0..p.k {
            let mut columns = [[V::splat(0.0); 2]; PANELS];
            for (columns, b) in columns.iter_mut().zip(b) {
                *columns = [V::load(b.add(t * width)), V::load(b.add(t * width + V::LANES))];
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = V::splat(*p.a.add(i * p.a_row + t));
                for (sums, columns) in sums.iter_mut().zip(columns) {
                    *sums =
                        [sums[0].add_product(x, columns[0]), sums[1].add_product(x, columns[1])];
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            for (j, sums) in sums.iter().enumerate() {
                let at = first + j * width;
                let (c, left) = (p.c.wrapping_add(i * p.c_row + at), p.cols.saturating_sub(at));
                sums[0].store_part(c, V::mask(left));
                let second = V::mask(left.saturating_sub(V::LANES));
                sums[1].store_part(c.wrapping_add(V::LANES), second);
            }
        }
    }
}
