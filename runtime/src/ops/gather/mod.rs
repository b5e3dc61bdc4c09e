//! Elements chosen along an axis (`torch.gather`): `y[o, j, i] = x[o, index[o, j, i], i]`. The
//! gradient adds up what was chosen, in the order of `j`.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod reference;

use crate::device::{Buf, Indices};
use crate::ops::kernels;

/// The sizes of `x [outer, size, inner]` and `y [outer, count, inner]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatherSpec {
    /// Product of the sizes before the axis.
    pub outer: usize,
    /// The size of the axis of `x`.
    pub size: usize,
    /// The size of the axis of `y`.
    pub count: usize,
    /// Product of the sizes behind the axis.
    pub inner: usize,
}

kernels! {
    /// The kernels of this room.
    pub trait Gather {
        /// `y` from `x`.
        fn gather(&mut self, y: Buf, x: Buf, index: Indices, spec: GatherSpec);
        /// `d_x` from `d_y`.
        fn gather_grad(&mut self, d_x: Buf, d_y: Buf, index: Indices, spec: GatherSpec);
    }
}
