//! Softmax over the middle axis of `x [outer, size, inner]` (`torch.softmax`, `log_softmax`):
//!
//! `y_c = e^(x_c − m) / Σ_j e^(x_j − m)` with `m = max_j x_j`, and its logarithm. Gradients:
//! `d_x_c = y_c · (d_y_c − Σ_j d_y_j · y_j)` for the softmax and
//! `d_x_c = d_y_c − e^(y_c) · Σ_j d_y_j` for its logarithm.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod reference;

pub(crate) use cpu::{EXPS, exp_row};

use crate::device::Buf;
use crate::ops::{kernels, product};

/// The sizes of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoftmaxSpec {
    /// Product of the sizes before the axis.
    pub outer: usize,
    /// The size of the axis.
    pub size: usize,
    /// Product of the sizes behind the axis.
    pub inner: usize,
}

impl SoftmaxSpec {
    /// The number of elements.
    pub const fn elements(&self) -> usize {
        product([self.outer, self.size, self.inner])
    }
}

kernels! {
    /// The kernels of this room.
    pub trait Softmax {
        /// `y = softmax(x)`
        fn softmax(&mut self, y: Buf, x: Buf, spec: SoftmaxSpec);
        /// `y = log_softmax(x)`
        fn log_softmax(&mut self, y: Buf, x: Buf, spec: SoftmaxSpec);
        /// The gradient of the input, from `y`.
        fn softmax_grad(&mut self, d_x: Buf, d_y: Buf, y: Buf, spec: SoftmaxSpec);
        /// The gradient of the input, from `y`.
        fn log_softmax_grad(&mut self, d_x: Buf, d_y: Buf, y: Buf, spec: SoftmaxSpec);
    }
}
