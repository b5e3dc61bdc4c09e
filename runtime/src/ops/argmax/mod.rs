//! The place of the largest element along an axis (`torch.argmax`), the first of equal ones, as a whole
//! number in an `f32`. NaN is larger than all else.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod reference;
mod tiny;

use crate::device::Buf;
use crate::ops::softmax::SoftmaxSpec;

/// The kernel of this room.
pub trait Argmax {
    /// `y [outer, inner]` from `x [outer, size, inner]`.
    fn argmax(&mut self, y: Buf, x: Buf, spec: SoftmaxSpec);
}
