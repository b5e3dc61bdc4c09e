//! What batch normalisation computes over a batch (`nn.BatchNorm1d`, `nn.BatchNorm2d`):
//!
//! `y = (x − μ) / √(σ² + ε) · w + b`, with the mean `μ` and the biased variance `σ²` of each
//! channel of `x [batch, channels, inner]`. The running statistics move by `momentum` towards `μ`
//! and the unbiased variance `σ² · n / (n − 1)`. Ioffe and Szegedy, "Batch normalization" (ICML
//! 2015).
//!
//! With `x̂ = (x − μ) / √(σ² + ε)` the gradients are
//!
//! - `d_w = Σ d_y · x̂` and `d_b = Σ d_y`,
//! - `d_x = w / √(σ² + ε) · (d_y − d_b / n − x̂ · d_w / n)`.
//!
//! Nothing cancels however far a channel is from zero: `μ` is the sum of two `f32`s, the nearest
//! one and the rest, and both are taken away from `x` before it is scaled. Squares that leave the
//! range of `f32` are summed in `f64`, on a GPU in parts of a thread.
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

use crate::device::{Buf, Kernels};
use crate::math::Arith;
use crate::ops::elementwise::{Elementwise, functions};
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

/// The running statistics: `[mean, variance, number of batches]`, before and after. Numbers of
/// batches beyond 2²⁴ count on in the bits of their `f32`.
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
        /// `mean`, two numbers a channel whose sum is `μ`, and `invstd = 1 / √(σ² + ε)`, and the
        /// new running statistics. A batch with one element a channel has no unbiased variance: the
        /// running one stays.
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

/// `1 / √(x + c)`
struct InvStd;

impl Elementwise<1, 1, 1> for InvStd {
    const TEXT: &'static str =
        "t0 = add(x0, c0); t1 = sqrt(t0); t2 = constant(1.0); t3 = div(t2, t1); t3";

    #[inline(always)]
    fn eval<A: Arith>([x]: [f32; 1], [eps]: [f32; 1]) -> [f32; 1] {
        [functions::div::<A>(1.0, functions::sqrt::<A>(functions::add::<A>(x, eps)))]
    }
}

/// The statistics that a norm with running ones uses: those of the batch, or where it is `frozen`
/// the running ones, which stay.
#[inline(always)]
pub fn statistics<K: Kernels>(
    k: &mut K,
    frozen: bool,
    [mean, rest]: [Buf; 2],
    invstd: Buf,
    x: Buf,
    running: Option<Running>,
    spec: BatchNormSpec,
) {
    match running {
        Some(Running { old, new, .. }) if frozen => {
            k.copy(mean, old[0]);
            k.fill(rest, 0.0);
            let var = [(old[1], [true])];
            k.map::<InvStd, 1, 1, 1, 1>([invstd], var, [spec.channels], [spec.eps]);
            new.into_iter().zip(old).for_each(|(new, old)| k.copy(new, old));
        }
        _ => k.batch_norm_statistics([mean, rest], invstd, x, running, spec),
    }
}

/// The sums by which the gradient of a norm's input depends on all of the batch: zeros where it is
/// `frozen`, since running statistics do not.
#[allow(clippy::too_many_arguments)]
#[inline(always)]
pub fn sums<K: Kernels>(
    k: &mut K,
    frozen: bool,
    [d_w, d_b]: [Buf; 2],
    d_y: Buf,
    x: Buf,
    mean: [Buf; 2],
    invstd: Buf,
    spec: BatchNormSpec,
) {
    match frozen {
        true => [d_w, d_b].into_iter().for_each(|sum| k.fill(sum, 0.0)),
        false => k.batch_norm_sums(d_w, d_b, d_y, x, mean, invstd, spec),
    }
}
