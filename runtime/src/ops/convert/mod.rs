//! Values in bf16, in which they are stored from the forward to the backward pass: two of them in
//! the place of a float, `yᵢ = bf16(xᵢ)`, rounded to the nearest, ties to even.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use crate::device::Buf;
use crate::ops::kernels;

/// The floats in whose place `len` values fit.
pub const fn floats(len: usize) -> usize {
    len.div_ceil(2)
}

kernels! {
    /// The kernels of this room.
    pub trait Convert {
        /// `y = x`, rounded: `x.len` values in [`floats`]`(x.len)` places.
        fn narrow(&mut self, y: Buf, x: Buf);
        /// `y = x`: `y.len` values from [`floats`]`(y.len)` places.
        fn widen(&mut self, y: Buf, x: Buf);
    }
}
