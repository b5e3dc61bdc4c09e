//! Dropout (N. Srivastava et al., 2014; `torch.nn.functional.dropout` while training): each element
//! is 0 with probability `p`, else it is `x / (1 − p)`. The gradient drops the same elements.
//!
//! Which these are follows from a counter: the seed, the number of the step, the number of the call
//! within the step, and the number of the element. So nothing but the number of the call is kept for
//! the backward pass, and the bits are the same for any number of threads. Of the elements
//! `64 g..64 g + 64` of call `c` in step `s`, element `64 g + 16 l + b` takes word `l` of block
//! `16 g + b` of Philox' stream `2⁶³ + 2¹⁶ s + c`.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod reference;

use crate::device::{Buf, Random};
use crate::ops::kernels;

/// The elements that share 16 blocks of random words.
pub(crate) const GROUP: usize = 64;

/// What is dropped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DropoutSpec {
    /// The probability that an element is dropped, from 0 to 1.
    pub p: f32,
}

impl DropoutSpec {
    /// Words below are dropped.
    fn threshold(self) -> u64 {
        (f64::from(self.p) * (1_u64 << 32) as f64) as u64
    }

    /// What is left is multiplied with it.
    fn scale(self) -> f32 {
        if self.p < 1.0 { 1.0 / (1.0 - self.p) } else { 0.0 }
    }
}

/// The stream of a call.
fn stream(random: Random, call: u32) -> u64 {
    (1 << 63) | (random.step << 16) | u64::from(call & 0xffff)
}

kernels! {
    /// The kernels of this room.
    pub trait Dropout {
        /// `y` from `x`, which may be the same memory. The number of the call goes to `call [1]`, unless
        /// that is empty.
        fn dropout(&mut self, y: Buf, call: Buf, x: Buf, spec: DropoutSpec);
        /// The gradient of `x`, which may be the memory of `d_y`.
        fn dropout_grad(&mut self, d_x: Buf, d_y: Buf, call: Buf, spec: DropoutSpec);
    }
}
