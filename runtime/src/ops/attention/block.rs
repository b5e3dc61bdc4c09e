//! A block of queries and a block of keys: their scores, and what is carried from one block of keys
//! to the next.

use super::AttentionSpec;
use super::cpu::{BLOCK, Operand, Rows, Scores};
use crate::math::{self, SimdLevel, simd};
use crate::ops::matmul::pack::{Part, pack};
use crate::ops::matmul::{Panel, Tiling};
use crate::ops::reduce::{Max, Sum, fold_row};

/// The most columns of a block of keys that are transposed at a time.
const DEPTH: usize = 128;

/// `c [m, n] (+)= a [m, k] · b [k, n]`, where `a` is in place and rows of `b` are contiguous.
///
/// # Safety
/// The ranges are lent, that of `c` to write; `a_row` or `a_k` is 1.
pub(super) unsafe fn multiply(
    level: SimdLevel,
    (c, accumulate): (Rows, bool),
    (a, a_row, a_k): (*const f32, usize, usize),
    b: Rows,
    [m, n, k]: [usize; 3],
) {
    let tiling = Tiling::of(level);
    let each = tiling.panel_rows(m);
    for row in (0..m).step_by(each) {
        // SAFETY: rows `row..row + each`, cut at `m`, of `a` and `c`, and all of `b`, are lent by
        // the caller; `panel_rows` is at most `Tiling::rows`.
        unsafe {
            Panel {
                rows: each.min(m - row),
                cols: n,
                k,
                a: a.add(row * a_row),
                a_row,
                a_k,
                b: b.at,
                b_row: b.row,
                b_panel: tiling.cols,
                c: c.at.add(row * c.row),
                c_row: c.row,
                accumulate,
            }
            .run(level);
        }
    }
}

/// Columns of a block of rows as rows of [`BLOCK`] floats.
pub(super) struct Transposed {
    floats: [f32; DEPTH * BLOCK],
    holds: Option<(Rows, usize)>,
}

impl Transposed {
    pub(super) fn new() -> Self {
        Self { floats: [0.0; DEPTH * BLOCK], holds: None }
    }

    /// `c [m, n] = a [m, dim] · b [n, dim]ᵀ`; the transposed form of `b` is kept for the next call
    /// where all of it has room.
    ///
    /// # Safety
    /// The rows of `a` and `b` are there to read, at most [`BLOCK`] of each.
    pub(super) unsafe fn scores(
        &mut self,
        level: SimdLevel,
        c: &mut Scores,
        a: Rows,
        b: Rows,
        [m, n, dim]: [usize; 3],
    ) {
        let c = Rows { at: c.as_mut_ptr(), row: BLOCK };
        for from in (0..dim).step_by(DEPTH) {
            let depth = DEPTH.min(dim - from);
            let floats = self.floats.as_mut_ptr();
            // SAFETY: columns `from..from + depth` of the rows, which the caller lends; `floats`
            // has room for `DEPTH` columns of `BLOCK` rows, a multiple of the lanes, and `c` for
            // `BLOCK` rows of `BLOCK`; `m` and `n` are at most that.
            unsafe {
                if self.holds != Some((b, from)) {
                    let part = Part { data: b.at.add(from), row: b.row, col: 1 };
                    pack(level, (floats, BLOCK), part, (n, depth));
                    self.holds = Some((b, from));
                }
                let b = Rows { at: floats, row: BLOCK };
                let a = (a.at.add(from).cast_const(), a.row, 1);
                multiply(level, (c, from > 0), a, b, [m, n, depth]);
            }
        }
    }
}

/// A block of scores: its queries and keys, and what is added to them.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) scale: f32,
    /// Of the first query and key, where there is one.
    pub(super) mask: Option<Rows>,
    /// How many keys the first query sees, of which the first are before the block; the next query
    /// sees one more.
    pub(super) sees: Option<(usize, usize)>,
}

impl Block {
    pub(super) fn new(
        mask: Option<Operand>,
        [b, h, i, j]: [usize; 4],
        [rows, cols]: [usize; 2],
        spec: &AttentionSpec,
    ) -> Self {
        let mask = mask.map(|mask| {
            let rows = mask.rows(b, h, i);
            Rows { at: rows.at.wrapping_add(j), ..rows }
        });
        // All queries see all keys of a block below the diagonal.
        let sees = spec.causal.map(|offset| (i + 1 + offset, j));
        let sees = sees.filter(|(sees, before)| *sees < before + cols);
        Self { rows, cols, scale: spec.scale, mask, sees }
    }

    /// Turns products into scores.
    ///
    /// # Safety
    /// The rows of the mask are there to read.
    #[inline(always)]
    pub(super) unsafe fn finish(&self, scores: &mut [f32], row: usize) {
        scores.iter_mut().for_each(|s| *s *= self.scale);
        if let Some(mask) = self.mask {
            // SAFETY: the caller lends row `row` of the mask, with a float for each score.
            let mask =
                unsafe { std::slice::from_raw_parts(mask.at.add(row * mask.row), scores.len()) };
            // A key that is not seen may be anything.
            let masked =
                |s: f32, mask: f32| if mask == f32::NEG_INFINITY { mask } else { s + mask };
            scores.iter_mut().zip(mask).for_each(|(s, &mask)| *s = masked(*s, mask));
        }
        if let Some((sees, before)) = self.sees {
            let hidden = scores.len().min((sees + row).saturating_sub(before));
            scores[hidden..].fill(f32::NEG_INFINITY);
        }
    }
}

/// What is carried of each row of a block of queries.
pub(super) struct Carried {
    max: [f32; BLOCK],
    sum: [f64; BLOCK],
}

impl Carried {
    pub(super) fn new() -> Self {
        Self { max: [f32::NEG_INFINITY; BLOCK], sum: [0.0; BLOCK] }
    }
}

simd! {
    /// A block of products as exponentials of scores, and what was summed up before in their terms.
    ///
    /// # Safety
    /// The rows of `y`, of so many floats, are lent to write, and those of the mask to read, as
    /// many as the block has.
    pub(super) unsafe fn carry<A>(
        scores: &mut [f32],
        carried: &mut Carried,
        block: Block,
        y: (Rows, usize, bool),
    ) {
        let (y, dim, first) = y;
        for row in 0..block.rows {
            let scores = &mut scores[row * BLOCK..][..block.cols];
            // SAFETY: the caller lends `block.rows` rows of the mask, of `block.cols` floats.
            unsafe { block.finish(scores, row) };
            let (old, new) = (carried.max[row], fold_row::<Max>(scores) as f32);
            let max = if new > old || new.is_nan() { new } else { old };
            // A query that has seen no key yet.
            let base = if max == f32::NEG_INFINITY { 0.0 } else { max };
            scores.iter_mut().for_each(|s| *s = math::exp::<A>(*s - base));
            let factor = math::exp::<A>(old - base);
            let sum = fold_row::<Sum>(scores);
            carried.sum[row] = carried.sum[row] * f64::from(factor) + sum;
            carried.max[row] = max;
            if !first && factor != 1.0 {
                // SAFETY: the caller lends `block.rows` rows of `y`, of `dim` floats, to write.
                let y = unsafe { std::slice::from_raw_parts_mut(y.at.add(row * y.row), dim) };
                y.iter_mut().for_each(|y| *y *= factor);
            }
        }
    }
}

simd! {
    /// The sums by their weights, and `lse`.
    ///
    /// # Safety
    /// `rows` rows of `y`, of so many floats, are lent to write, and so many numbers of `lse`
    /// unless it is without.
    pub(super) unsafe fn divide<A>(
        carried: &Carried,
        y: (Rows, usize),
        lse: Rows,
        rows: usize,
        without_lse: bool,
    ) {
        let (y, dim) = y;
        for row in 0..rows {
            let (max, sum) = (carried.max[row], carried.sum[row] as f32);
            let is_blind = max == f32::NEG_INFINITY;
            // SAFETY: the caller lends `rows` rows of `y`, of `dim` floats, to write.
            let y = unsafe { std::slice::from_raw_parts_mut(y.at.add(row * y.row), dim) };
            match is_blind {
                true => y.fill(0.0),
                false => {
                    let weight = 1.0 / sum;
                    y.iter_mut().for_each(|y| *y *= weight);
                }
            }
            if !without_lse {
                let value = if is_blind { f32::INFINITY } else { max + math::log::<A>(sum) };
                // SAFETY: the caller lends `rows` floats of `lse` to write, unless it is without.
                unsafe { *lse.at.add(row) = value };
            }
        }
    }
}
