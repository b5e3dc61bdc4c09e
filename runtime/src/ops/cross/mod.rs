//! Cross products (`torch.linalg.cross`) of vectors along an axis of three elements:
//! `y[i] = a[i + 1] · b[i + 2] − a[i + 2] · b[i + 1]`, indices modulo 3. With `d_y` the gradient of
//! the result, `d_a = b × d_y` and `d_b = d_y × a`, which are cross products again.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod reference;

use crate::device::Buf;
use crate::ops::kernels;

/// The sizes of `[outer, 3, inner]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrossSpec {
    /// Product of the sizes before the axis.
    pub outer: usize,
    /// Product of the sizes behind the axis.
    pub inner: usize,
}

kernels! {
    /// The kernel of this room.
    pub trait Cross {
        /// `y = a × b`
        fn cross(&mut self, y: Buf, a: Buf, b: Buf, spec: CrossSpec);
    }
}
