//! The operations, one room each: the mathematics, the kernel trait, a naive `f64` reference and
//! the CPU kernels.

pub mod argmax;
pub mod attention;
pub mod batch_norm;
pub mod cat;
pub mod conv2d;
pub mod convert;
pub mod copy;
pub mod cross_entropy;
pub mod cumsum;
pub mod dropout;
pub mod elementwise;
pub mod embedding;
pub mod gather;
pub mod hold;
pub mod interpolate;
pub mod layer_norm;
pub mod matmul;
pub mod nll_loss;
pub mod permute;
pub mod pool2d;
pub mod recurrent;
pub mod reduce;
pub mod rotary;
pub mod softmax;

use crate::device::Buf;

/// Panics where what is written overlaps what is read: a bug of the plan.
fn check_apart(writes: &[Buf], reads: &[Buf]) {
    let apart = writes.iter().all(|w| reads.iter().all(|r| !w.overlaps(*r)));
    assert!(apart, "gradiron: planned ranges overlap (a bug)");
}

/// The places of a window along an axis of `padded` elements; none when it does not fit
/// (PyTorch's `Conv2d` and `MaxPool2d`): `⌊(padded − dilation·(kernel − 1) − 1) / stride⌋ + 1`.
const fn windows(padded: usize, kernel: usize, stride: usize, dilation: usize) -> usize {
    let reach = dilation * (kernel - 1) + 1;
    if padded < reach { 0 } else { (padded - reach) / stride + 1 }
}

/// What becomes of parts of a result as soon as they are complete, while they are in cache: called
/// with the start and the length of a part, in elements of the result. Parts do not overlap and
/// cover the result; calls come from any thread of the team.
pub(crate) type Finish<'a> = Option<&'a (dyn Fn(usize, usize) + Sync)>;
