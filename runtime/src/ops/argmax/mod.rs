//! The place of the largest element along an axis (`torch.argmax`), the first of equal ones, as a whole
//! number in an `f32`. NaN is larger than all else. Whole numbers are exact in an `f32` up to 2²⁴, and so
//! are the axes that have places.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod reference;

use crate::device::Buf;
use crate::ops::kernels;
use crate::ops::softmax::SoftmaxSpec;

/// The most elements of an axis: the place of the last one is a whole number in an `f32`.
pub const MOST: usize = (1 << 24) + 1;

/// # Panics
/// When an axis, whose size is known at run time only, has more.
fn check(size: usize) {
    assert!(
        size <= MOST,
        "argmax over an axis of {size} elements: places are whole numbers in `f32`s, which are exact up \
         to {}; reshape the axis to two, take `amax` over the second and the place along the first",
        MOST - 1
    );
}

kernels! {
    /// The kernel of this room.
    pub trait Argmax {
        /// `y [outer, inner]` from `x [outer, size, inner]`.
        ///
        /// # Panics
        /// When `size` is above [`MOST`].
        fn argmax(&mut self, y: Buf, x: Buf, spec: SoftmaxSpec);
    }
}
