//! Whether weights may be transformed: a look at all of them, before they are.

use std::sync::atomic::{AtomicBool, Ordering};

use super::TAPS;
use super::range::moderate;
use crate::math::simd;
use crate::ops::conv2d::cpu::Run;
use crate::ops::conv2d::{Conv2dSpec, min};

/// For each channel of the result, the largest weight of any tap is at most so many times the
/// largest of each tap.
const RATIO: f32 = 64.0;
/// Filters that lie side by side and are looked at together, so that rows are whole registers.
const FILTERS: usize = 16;
const ROW: usize = FILTERS * TAPS;

/// Whether transforms of the weights `w [out, in, 3, 3]` keep their promise, forward or for the
/// gradient of the input.
pub fn weights_suit(run: Run<'_>, w: &[f32], backward: bool) -> bool {
    let Conv2dSpec { in_channels, out_channels, .. } = run.spec;
    let row = in_channels * TAPS;
    assert!(w.len() == out_channels * row);
    let suit = AtomicBool::new(true);
    let items = if backward { in_channels.div_ceil(FILTERS) } else { out_channels };
    run.threads.run_if(w.len() / 4, items, &|item| {
        let mut largest = [0; ROW];
        let fits = if backward {
            // The same filters of each output channel.
            let start = item * ROW;
            let len = min(ROW, row - start);
            let last = (out_channels - 1) * row + start + len;
            let whole = largest_of_rows(run.level, &mut largest, &w[start..last], row, len);
            whole && largest[..len].chunks_exact(TAPS).all(|taps| taps_suit(taps))
        } else {
            let weights = &w[item * row..][..row];
            let whole = largest_of_rows(run.level, &mut largest, weights, ROW, ROW);
            let mut taps = [0; TAPS];
            for (i, &size) in largest.iter().enumerate() {
                taps[i % TAPS] = size.max(taps[i % TAPS]);
            }
            whole && taps_suit(&taps)
        };
        if !fits {
            suit.store(false, Ordering::Relaxed);
        }
    });
    suit.into_inner()
}

/// Whether one channel's largest weights of each tap, as bits, are alike.
fn taps_suit(taps: &[u32]) -> bool {
    let (mut least, mut most) = (u32::MAX, 0);
    for &tap in taps {
        (least, most) = (least.min(tap), most.max(tap));
    }
    let (least, most) = (f32::from_bits(least), f32::from_bits(most));
    moderate(most) && most <= RATIO * least
}

/// Takes the largest sizes, as bits, of rows of `len` weights, `pitch` apart, the last of which may
/// be shorter; and says whether each filter is all zeros or without a zero.
fn largest_of_rows(
    level: crate::math::SimdLevel,
    largest: &mut [u32; ROW],
    w: &[f32],
    pitch: usize,
    len: usize,
) -> bool {
    let mut whole = true;
    for row in w.chunks(pitch) {
        let row = &row[..min(len, row.len())];
        if take_larger(level, largest, row) == 0 {
            whole &= row.chunks_exact(TAPS).all(|filter| {
                let zeros = filter.iter().filter(|&&w| w == 0.0).count();
                zeros == 0 || zeros == TAPS
            });
        }
    }
    whole
}

simd! {
    /// Takes the larger sizes, as bits, and gives the smallest of the weights.
    fn take_larger<A>(largest: &mut [u32; ROW], w: &[f32]) -> u32 {
        let mut least = u32::MAX;
        for (largest, w) in largest.iter_mut().zip(w) {
            let size = w.abs().to_bits();
            (*largest, least) = ((*largest).max(size), least.min(size));
        }
        least
    }
}
