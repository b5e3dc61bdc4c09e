//! What batch normalisation computes over a batch (`nn.BatchNorm1d`, `nn.BatchNorm2d`):
//!
//! `y = (x − μ) / √(σ² + ε) · w + b`, with the mean `μ` and the biased variance `σ²` of each channel
//! of `x [batch, channels, inner]`. The running statistics move by `momentum` towards `μ` and the
//! unbiased variance `σ² · n / (n − 1)`. Ioffe and Szegedy, "Batch normalization" (ICML 2015).
//!
//! With `x̂ = (x − μ) / √(σ² + ε)` the gradients are
//!
//! - `d_w = Σ d_y · x̂` and `d_b = Σ d_y`,
//! - `d_x = w / √(σ² + ε) · (d_y − d_b / n − x̂ · d_w / n)`.
//!
//! Nothing cancels however far a channel is from zero: `μ` is the sum of two `f32`s, the nearest one and
//! the rest, and both are taken away from `x` before it is scaled. Squares that leave the range of
//! `f32` are summed in `f64`, on a GPU in parts of a thread.
//!
//! Here are the reductions. What follows an element at a time is for the elementwise room, so that
//! it fuses with its neighbours.

mod count;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod reference;
mod tile;
mod wide;

pub(crate) use count::{count_of, place_of};

use crate::device::Buf;
use crate::ops::{kernels, product};

/// The sizes of the input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNormSpec {
    /// The size of the first axis.
    pub batch: usize,
    /// The size of the second axis.
    pub channels: usize,
    /// Product of the sizes behind it.
    pub inner: usize,
    /// What is added to the variance.
    pub eps: f32,
}

impl BatchNormSpec {
    /// The number of elements.
    pub const fn elements(&self) -> usize {
        product([self.batch, self.channels, self.inner])
    }

    /// How many elements the statistics of a channel are of.
    pub const fn count(&self) -> usize {
        product([self.batch, self.inner])
    }
}

/// The running statistics: `[mean, variance, number of batches]`, before and after. Numbers of batches
/// beyond 2²⁴ count on in the bits of their `f32`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Running {
    /// What they were: `[channels]`, `[channels]`, `[]`.
    pub old: [Buf; 3],
    /// Where the new ones go.
    pub new: [Buf; 3],
    /// The weight of this batch; none for an equal weight of all batches so far.
    pub momentum: Option<f32>,
}

kernels! {
    /// The kernels of this room.
    pub trait BatchNorm {
        /// `mean`, two numbers a channel whose sum is `μ`, and `invstd = 1 / √(σ² + ε)`, and the new
        /// running statistics. A batch with one element a channel has no unbiased variance: the running
        /// one stays.
        fn batch_norm_statistics(
            &mut self,
            mean: [Buf; 2],
            invstd: Buf,
            x: Buf,
            running: Option<Running>,
            spec: BatchNormSpec,
        );

        /// `d_w = Σ d_y · x̂` and `d_b = Σ d_y` of each channel.
        #[allow(clippy::too_many_arguments)]
        fn batch_norm_sums(
            &mut self,
            d_w: Buf,
            d_b: Buf,
            d_y: Buf,
            x: Buf,
            mean: [Buf; 2],
            invstd: Buf,
            spec: BatchNormSpec,
        );
    }
}
