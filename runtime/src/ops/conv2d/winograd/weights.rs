//! The transforms of weights, and back of the gradient's products.

use super::transform::{Weight, WeightGrad, both};
use super::{BLOCK, POINTS, TAPS};
use crate::math::SimdLevel;
use crate::math::{MAX_LANES, Vector, by_level};

/// Weights `[out, in, 3, 3]` as a product sees them: some `terms` for some `channels`.
#[derive(Clone, Copy)]
pub struct Filters {
    pub w: *const f32,
    /// The distance from term to term.
    pub term: usize,
    /// The distance from channel to channel.
    pub channel: usize,
    /// Turned by half a turn.
    pub rotated: bool,
    pub terms: usize,
    /// At most [`BLOCK`].
    pub channels: usize,
    /// `[POINTS, terms, BLOCK]`
    pub points: *mut f32,
}

impl Filters {
    /// `points = G g Gᵀ`
    ///
    /// # Safety
    /// The memory described above is lent for this call, `points` to write.
    pub unsafe fn transform(&self, level: SimdLevel) {
        by_level!(level, transform(self => &Filters));
    }
}

#[inline(always)]
unsafe fn transform<V: Vector, const ROWS: usize>(filters: &Filters) {
    for term in 0..filters.terms {
        for channel in (0..filters.channels).step_by(V::LANES) {
            // SAFETY: `lanes` filters of this term from `channel` on exist, whose taps a mask
            // chooses; the caller lends them, and points with `BLOCK` floats for each term, a
            // multiple of the lanes. It has the instruction set of `V`.
            unsafe {
                let zero = V::splat(0.0);
                let from = filters.w.add(term * filters.term + channel * filters.channel);
                let lanes = (filters.channels - channel).min(V::LANES);
                let mut taps = [[zero; 3]; 3];
                for start in (0..TAPS).step_by(V::LANES) {
                    let count = (TAPS - start).min(V::LANES);
                    let mask = V::mask(count);
                    let mut square = [zero; MAX_LANES];
                    for (i, row) in square.iter_mut().enumerate().take(V::LANES) {
                        if i < lanes {
                            *row = V::load_part(from.add(i * filters.channel + start), mask);
                        }
                    }
                    V::transpose(&mut square);
                    for (i, tap) in square.iter().enumerate().take(count) {
                        let at = start + i;
                        let at = if filters.rotated { TAPS - 1 - at } else { at };
                        taps[at / 3][at % 3] = *tap;
                    }
                }
                let points = both::<Weight, V, 3, 6>(taps);
                let to = filters.points.add(term * BLOCK + channel);
                for (r, row) in points.iter().enumerate() {
                    for (c, x) in row.iter().enumerate() {
                        x.store(to.add((6 * r + c) * filters.terms * BLOCK));
                    }
                }
            }
        }
    }
}

/// Products for the gradient of some weights, `[POINTS, inputs, BLOCK]`.
#[derive(Clone, Copy)]
pub struct FilterGrads {
    pub points: *const f32,
    /// The distance from point to point.
    pub point: usize,
    pub inputs: usize,
    /// At most [`BLOCK`].
    pub outputs: usize,
    /// The first of these weights, and the distance from output to output.
    pub d_w: *mut f32,
    pub output: usize,
}

impl FilterGrads {
    /// `d_w = Gᵀ p G`
    ///
    /// # Safety
    /// The memory described above is lent for this call, `d_w` to write.
    pub unsafe fn transform(&self, level: SimdLevel) {
        by_level!(level, transform_back(self => &FilterGrads));
    }
}

#[inline(always)]
unsafe fn transform_back<V: Vector, const ROWS: usize>(grads: &FilterGrads) {
    for output in (0..grads.outputs).step_by(V::LANES) {
        for input in 0..grads.inputs {
            // SAFETY: the caller lends points with `BLOCK` floats for each input, a multiple of the
            // lanes, and the weights of `lanes` outputs from `output` on, whose taps a mask
            // chooses. It has the instruction set of `V`.
            unsafe {
                let from = grads.points.add(input * BLOCK + output);
                let mut points = [[V::splat(0.0); 6]; 6];
                for (r, row) in points.iter_mut().enumerate() {
                    for (c, x) in row.iter_mut().enumerate() {
                        *x = V::load(from.add((6 * r + c) * grads.point));
                    }
                }
                let taps = both::<WeightGrad, V, 6, 3>(points);
                let to = grads.d_w.add(output * grads.output + input * TAPS);
                let lanes = (grads.outputs - output).min(V::LANES);
                for start in (0..TAPS).step_by(V::LANES) {
                    let count = (TAPS - start).min(V::LANES);
                    let mut square = [V::splat(0.0); MAX_LANES];
                    for (i, tap) in square.iter_mut().enumerate().take(count) {
                        *tap = taps[(start + i) / 3][(start + i) % 3];
                    }
                    V::transpose(&mut square);
                    let mask = V::mask(count);
                    for (i, row) in square.iter().enumerate().take(V::LANES) {
                        if i < lanes {
                            row.store_part(to.add(i * grads.output + start), mask);
                        }
                    }
                }
            }
        }
    }
}

const _: () = assert!(BLOCK.is_multiple_of(MAX_LANES) && POINTS == 36);
