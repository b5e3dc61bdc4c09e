//! Running sums along an axis (`torch.cumsum`): `y[i] = Σ_{j ≤ i} x[j]`. The gradient is the running
//! sum from the other end, `d_x[j] = Σ_{i ≥ j} d_y[i]`.
//!
//! Sums are carried in `f64`, on a GPU with what each addition lost: their error does not grow with `i`.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod reference;

use crate::device::Buf;
use crate::ops::kernels;

/// The sizes of `x [outer, size, inner]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CumsumSpec {
    /// Product of the sizes before the axis.
    pub outer: usize,
    /// The size of the axis.
    pub size: usize,
    /// Product of the sizes behind the axis.
    pub inner: usize,
    /// Whether sums start from the last element.
    pub reverse: bool,
}

kernels! {
    /// The kernel of this room.
    pub trait Cumsum {
        /// `y` from `x`.
        fn cumsum(&mut self, y: Buf, x: Buf, spec: CumsumSpec);
    }
}
