//! Products of weights with shifted runs of a strip.

use crate::math::SimdLevel;
use crate::math::{Vector, by_level};
use crate::ops::matmul::Tiling;
use crate::ops::{check_holds, product as size};

/// The most outputs, and the most registers of each, that are summed at a time.
const OUTPUTS: usize = 8;
const VECTORS: usize = 4;

/// `y[o][q] = Σ_(plane, u) w[o, plane, u] · x[plane · pitch + rows[u] + q]` for `q < len`.
pub struct Product<'a> {
    /// As [`pack`] leaves them.
    pub w: &'a [f32],
    pub outputs: usize,
    /// Readable up to a register beyond the last run.
    pub x: *const f32,
    pub planes: usize,
    pub pitch: usize,
    pub rows: &'a [usize],
    /// The part of a plane outside of which there are zeros only.
    pub filled: (usize, usize),
    pub y: *mut f32,
    pub y_row: usize,
    pub len: usize,
}

impl Product<'_> {
    /// # Safety
    /// `x` and `y` are lent for this call, as described.
    pub unsafe fn run(&self, level: SimdLevel) {
        check_holds("weights", self.w.len(), size([self.outputs, self.planes, self.rows.len()]));
        by_level!(level, product(self => &Product<'_>));
    }
}

/// The outputs of each block; the last one may have fewer.
const fn block(tile_rows: usize, outputs: usize) -> usize {
    let most = if tile_rows < OUTPUTS { tile_rows } else { OUTPUTS };
    outputs.div_ceil(outputs.div_ceil(most))
}

/// Weights in the order in which [`Product`] reads them: blocks of outputs, each
/// `[planes, rows, outputs of the block]`. `at` is the place of a weight in `w`.
pub fn pack(
    level: SimdLevel,
    packed: &mut [f32],
    w: &[f32],
    [outputs, planes, rows]: [usize; 3],
    at: impl Fn(usize, usize, usize) -> usize,
) {
    let each = block(Tiling::of(level).rows, outputs);
    let mut packed = packed.iter_mut();
    for first in (0..outputs).step_by(each) {
        for plane in 0..planes {
            for u in 0..rows {
                for o in first..outputs.min(first + each) {
                    *packed.next().expect("as many as weights") = w[at(o, plane, u)];
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn product<V: Vector, const ROWS: usize>(p: &Product<'_>) {
    let each = block(ROWS, p.outputs);
    // The sums, the runs, and one weight fit into the registers.
    let most = ((2 * ROWS + 3) / (each + 1)).min(VECTORS);
    let vectors = p.len.div_ceil(V::LANES);
    let width = vectors.div_ceil(vectors.div_ceil(most)) * V::LANES;
    for q in (0..p.len).step_by(width) {
        let len = width.min(p.len - q);
        // Rows of the window that meet zeros only are left out.
        let meets = |row: &usize| row + q < p.filled.1 && row + q + len > p.filled.0;
        let start = p.rows.iter().position(meets).unwrap_or(p.rows.len());
        let end = p.rows.iter().rposition(meets).map_or(start, |last| last + 1);
        for first in (0..p.outputs).step_by(each) {
            let outputs = each.min(p.outputs - first);
            macro_rules! by_tile {
                ($($outputs:literal: $($vectors:literal)*;)*) => {
                    // The second comparison leaves out tiles that the registers do not hold.
                    match (outputs, len.div_ceil(V::LANES)) {
                        $($(($outputs, $vectors) if $vectors * ($outputs + 1) < 2 * ROWS + 4 => {
                            tile::<V, $outputs, $vectors>(p, first, q, len, (start, end));
                        })*)*
                        _ => unreachable!("a tile has at most {OUTPUTS} rows of {VECTORS} registers"),
                    }
                };
            }
            // SAFETY: outputs `first..first + outputs` are below `p.outputs` and places
            // `q..q + len` below `p.len`; `start..end` are some of the rows. The literals that were
            // matched are their numbers, and the caller has the instruction set of `V`.
            unsafe {
                by_tile! {
                    1: 1 2 3 4; 2: 1 2 3 4; 3: 1 2 3 4; 4: 1 2 3 4;
                    5: 1 2 3 4; 6: 1 2 3 4; 7: 1 2 3; 8: 1 2 3;
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn tile<V: Vector, const OUTPUTS: usize, const VECTORS: usize>(
    p: &Product<'_>,
    first: usize,
    q: usize,
    len: usize,
    (start, end): (usize, usize),
) {
    // SAFETY: `run` checked that there are weights for all outputs, planes and rows, of which these
    // are some; the caller lends the runs of all planes with a register behind the last, and `len`
    // floats of each output. It has the instruction set of `V`.
    unsafe {
        let mut sums = [[V::splat(0.0); VECTORS]; OUTPUTS];
        let w = p.w.as_ptr().add(first * p.planes * p.rows.len());
        let rows = &p.rows[start..end];
        for plane in 0..p.planes {
            let mut w = w.add((plane * p.rows.len() + start) * OUTPUTS);
            let x = p.x.add(plane * p.pitch + q);
            for &row in rows {
                let mut runs = [V::splat(0.0); VECTORS];
                for (j, run) in runs.iter_mut().enumerate() {
                    *run = V::load(x.add(row + j * V::LANES));
                }
                for (o, sums) in sums.iter_mut().enumerate() {
                    let w = V::splat(*w.add(o));
                    for (sum, run) in sums.iter_mut().zip(runs) {
                        *sum = sum.add_product(w, run);
                    }
                }
                w = w.add(OUTPUTS);
            }
        }
        let mask = V::mask(len - (VECTORS - 1) * V::LANES);
        for (o, sums) in sums.iter().enumerate() {
            let y = p.y.add((first + o) * p.y_row + q);
            for (j, sum) in sums.iter().enumerate().take(VECTORS - 1) {
                sum.store(y.add(j * V::LANES));
            }
            sums[VECTORS - 1].store_part(y.add((VECTORS - 1) * V::LANES), mask);
        }
    }
}
