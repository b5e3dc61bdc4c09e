//! The norm of all gradients.

use std::sync::atomic::{AtomicU64, Ordering};

use super::groups::parts;
use crate::device::Host;
use crate::math::{Arith, Body, SimdLevel};

/// Sums that are computed side by side.
const LANES: usize = 32;
/// Parts of the gradients, each of which one thread sums.
const PARTS: usize = 128;
/// The fewest gradients of a part.
const LEAST: usize = 1 << 13;

/// The root of the sum of squares. The sums are `f64`s in an order that the number of gradients
/// alone decides; squares of `f32`s are exact in them, and neither vectors nor threads change a
/// bit. What is frozen by `runs` is no part of it.
pub(super) fn norm(grads: &[f32], host: Option<Host<'_>>, runs: &[(usize, u8)]) -> f64 {
    let level = host.map_or_else(SimdLevel::detect, |host| host.level);
    let grads_of_part = grads.len().div_ceil(PARTS).max(LEAST).next_multiple_of(LANES);
    let sums = [const { AtomicU64::new(0) }; PARTS];
    let count = grads.len().div_ceil(grads_of_part);
    let run = |part: usize| {
        let start = part * grads_of_part;
        let end = grads.len().min(start + grads_of_part);
        let mut sum = 0.0;
        parts(runs, start..end, |part, _| sum += level.run(Squares(&grads[part])));
        sums[part].store(sum.to_bits(), Ordering::Relaxed);
    };
    match host {
        Some(host) => host.threads.run_if(grads.len(), count, &run),
        None => (0..count).for_each(run),
    }
    let sum: f64 =
        sums[..count].iter().map(|sum| f64::from_bits(sum.load(Ordering::Relaxed))).sum();
    sum.sqrt()
}

/// The sum of squares of a tensor.
pub(crate) fn squares(floats: &[f32]) -> f64 {
    SimdLevel::detect().run(Squares(floats))
}

/// The sum of the squares.
struct Squares<'a>(&'a [f32]);

impl Body for Squares<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<A: Arith>(self) -> f64 {
        let mut sums = [0.0; LANES];
        let (blocks, rest) = self.0.as_chunks::<LANES>();
        for block in blocks {
            for (sum, g) in sums.iter_mut().zip(block) {
                *sum += f64::from(*g) * f64::from(*g);
            }
        }
        for (sum, g) in sums.iter_mut().zip(rest) {
            *sum += f64::from(*g) * f64::from(*g);
        }
        sums.iter().sum()
    }
}
