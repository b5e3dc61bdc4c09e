//! Permuted axes (`torch.permute`): axis `i` of `y` is axis `axes[i]` of `x`. The gradient is the
//! inverse permutation of the gradient.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod reference;

use crate::device::Buf;
use crate::ops::kernels;

kernels! {
    /// The kernel of this room.
    pub trait Permute {
        /// `y = x` with its axes reordered; `dims` are the sizes of `x`.
        fn permute<const R: usize>(&mut self, y: Buf, x: Buf, dims: [usize; R], axes: [usize; R]);
    }
}

/// The permutation that undoes `axes`.
pub const fn inverse<const R: usize>(axes: [usize; R]) -> [usize; R] {
    let mut inverse = [0; R];
    let mut i = 0;
    while i < R {
        inverse[axes[i]] = i;
        i += 1;
    }
    inverse
}

/// The distances between neighbours along each axis, row-major.
pub(crate) const fn strides<const R: usize>(dims: [usize; R]) -> [usize; R] {
    let mut strides = [1; R];
    let mut i = R;
    while i > 1 {
        i -= 1;
        strides[i - 1] = strides[i] * dims[i];
    }
    strides
}
