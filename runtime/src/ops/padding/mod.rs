//! Sequences of different lengths side by side: at step `t`, samples whose sequences are longer take
//! what is new, the others hold what they had:
//!
//! `y[b, :] = new[b, :]` where `t < length[b]`, else `old[b, :]`.
//!
//! What lies behind a length may be anything, NaN too, and must not be a factor of a product, where 0
//! times NaN is NaN: gradients of weights are products over all rows. So it is cut off, or where only a
//! function's own results are known to be sound, in the loops over time, samples that have ended
//! compute their first step again instead.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod reference;

use crate::device::{Buf, Indices};
use crate::ops::kernels;

/// Where the first step of a sample of `length` elements lies among several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// At one place for all.
    At(usize),
    /// At the last element: `length - 1`.
    Last,
    /// So far before a place: `place - length`.
    Before(usize),
}

impl First {
    const fn of(self, length: usize) -> usize {
        match self {
            Self::At(place) => place,
            Self::Last => length - 1,
            Self::Before(place) => place - length,
        }
    }
}

kernels! {
    /// The kernels of this room.
    pub trait Padding {
        /// `y [batch, ..]` at step `t`; an empty `old` is 0.
        fn advance(&mut self, y: Buf, new: Buf, old: Buf, length: Indices, t: usize);

        /// `y [batch, steps, ..] = x` before the end of each sample, 0 behind it.
        fn zero_padding(&mut self, y: Buf, x: Buf, length: Indices, steps: usize);

        /// `y [batch, ..]`: `now` of samples that have a step `t`; of others what `all [_, batch, ..]` has of
        /// their first step. Samples without any take that of the first sample that has one, and 1 where
        /// none has, which is a number that most functions take.
        fn replay(&mut self, y: Buf, now: Buf, all: Buf, length: Indices, t: usize, first: First);
    }
}
