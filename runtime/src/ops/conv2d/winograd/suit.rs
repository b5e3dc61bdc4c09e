//! Whether weights may be transformed: a look at some of them just before they are, while they come
//! nearer.

use super::TAPS;
use super::range::moderate;
use super::weights::Filters;
use crate::math::SimdLevel;
use crate::math::{MAX_LANES, Vector, by_level};

/// For each channel of the result, the largest weight of any tap is at most so many times the
/// largest of each tap.
const RATIO: f32 = 64.0;
/// Floats of so many filters as fill whole registers.
const ROW: usize = MAX_LANES * TAPS;

impl Filters {
    /// Whether transforms of these weights keep their promise.
    ///
    /// # Safety
    /// The weights of these terms and channels are lent for this call.
    pub unsafe fn suit(&self, level: SimdLevel) -> bool {
        // In memory, filters of neighbouring terms are neighbours, or those of neighbouring
        // channels.
        let forward = self.term == TAPS;
        let (rows, row, len) = if forward {
            (self.channels, self.channel, self.terms * TAPS)
        } else {
            (self.terms, self.term, self.channels * TAPS)
        };
        let mut suits = true;
        // Forward, a channel is a row. Backward, all rows are those of the same channels.
        for start in (0..if forward { rows * ROW } else { len }).step_by(ROW) {
            let (first, len) =
                if forward { (start / ROW * row, len) } else { (start, len - start) };
            let (rows, len) = if forward { (1, len) } else { (rows, len.min(ROW)) };
            let mut largest = [0.0; ROW + MAX_LANES];
            let w = self.w.wrapping_add(first);
            let mut look = Look { w, rows, row, len, forward, largest: &mut largest, least: 0.0 };
            // SAFETY: `rows` rows of `len` weights from `first` on are those of these terms and
            // channels, which the caller lends.
            by_level!(level, look_at(&mut look => &mut Look<'_>));
            if look.least == 0.0 {
                for row in 0..rows {
                    // SAFETY: the same rows of `len` weights, which nobody writes.
                    let row = unsafe { std::slice::from_raw_parts(w.add(row * look.row), len) };
                    suits &= row.chunks_exact(TAPS).all(|filter| {
                        let zeros = filter.iter().filter(|&&w| w == 0.0).count();
                        zeros == 0 || zeros == TAPS
                    });
                }
            }
            let channels = if forward { 1 } else { len / TAPS };
            suits &= largest[..channels * TAPS].chunks_exact(TAPS).all(taps_suit);
        }
        suits
    }
}

/// Whether one channel's largest weights of each tap are alike.
fn taps_suit(taps: &[f32]) -> bool {
    let (mut least, mut most) = (u32::MAX, 0);
    for tap in taps {
        (least, most) = (least.min(tap.to_bits()), most.max(tap.to_bits()));
    }
    let (least, most) = (f32::from_bits(least), f32::from_bits(most));
    moderate(most) && most <= RATIO * least
}

/// Rows of `len` weights, `row` apart.
struct Look<'a> {
    w: *const f32,
    rows: usize,
    row: usize,
    len: usize,
    /// Whether all filters of a row are of one channel.
    forward: bool,
    /// The largest size of each tap, of one channel or of each filter of a row.
    largest: &'a mut [f32; ROW + MAX_LANES],
    /// The least size, not more than 1.
    least: f32,
}

#[inline(always)]
unsafe fn look_at<V: Vector, const LEVEL_ROWS: usize>(look: &mut Look<'_>) {
    // So many filters are whole registers.
    let width = V::LANES * TAPS;
    // SAFETY: the caller lends `rows` rows of `len` weights; `largest` has room for `ROW` floats
    // and a register behind them, and rows that are taken together are at most `ROW` long. It has
    // the instruction set of `V`.
    unsafe {
        let mut least = V::splat(1.0);
        let largest = look.largest.as_mut_ptr();
        if look.forward {
            let mut sizes = [V::splat(0.0); TAPS];
            for start in (0..look.len).step_by(width) {
                take(&mut sizes, &mut least, look.w.add(start), look.len - start);
            }
            store(&sizes, largest);
            // Filters one behind the other: the largest of each tap.
            let parts = TAPS.div_ceil(V::LANES);
            let mut taps = [V::splat(0.0); TAPS];
            for filter in 0..V::LANES {
                for (i, taps) in taps.iter_mut().enumerate().take(parts) {
                    let from = largest.add(filter * TAPS + i * V::LANES);
                    *taps = taps.larger_size(V::load(from));
                }
            }
            for (i, taps) in taps.iter().enumerate().take(parts) {
                taps.store(largest.add(i * V::LANES));
            }
        } else {
            for start in (0..look.len).step_by(width) {
                let mut sizes = [V::splat(0.0); TAPS];
                for row in 0..look.rows {
                    let w = look.w.add(row * look.row + start);
                    take(&mut sizes, &mut least, w, look.len - start);
                }
                store(&sizes, largest.add(start));
            }
        }
        let mut lanes = [1.0_f32; MAX_LANES];
        least.store(lanes.as_mut_ptr());
        look.least = lanes.into_iter().fold(1.0, f32::min);
    }
}

#[inline(always)]
unsafe fn store<V: Vector>(sizes: &[V; TAPS], to: *mut f32) {
    for (i, sizes) in sizes.iter().enumerate() {
        // SAFETY: the caller lends room for so many registers, and has the instruction set of `V`.
        unsafe { sizes.store(to.add(i * V::LANES)) };
    }
}

/// Takes the larger sizes of a chunk of at most `len` weights, and the least.
#[inline(always)]
unsafe fn take<V: Vector>(sizes: &mut [V; TAPS], least: &mut V, w: *const f32, len: usize) {
    // SAFETY: the caller lends `len` weights, of which whole registers are read where they end at
    // `len` at the latest; what is left fits into `lanes`. It has the instruction set of `V`.
    unsafe {
        for (i, sizes) in sizes.iter_mut().enumerate() {
            let at = i * V::LANES;
            if at + V::LANES <= len {
                let x = V::load(w.add(at));
                *sizes = sizes.larger_size(x);
                *least = least.smaller_size(x);
            } else if at < len {
                // Lanes behind the last are not the least.
                let mut lanes = [1.0; MAX_LANES];
                std::ptr::copy_nonoverlapping(w.add(at), lanes.as_mut_ptr(), len - at);
                *least = least.smaller_size(V::load(lanes.as_ptr()));
                *sizes = sizes.larger_size(V::load_part(w.add(at), V::mask(len - at)));
            }
        }
    }
}
