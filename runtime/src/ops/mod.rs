//! The operations, one room each: the mathematics, the kernel trait, a naive `f64` reference and
//! the CPU kernels.

pub mod argmax;
pub mod attention;
pub mod batch_norm;
pub mod cat;
pub mod conv2d;
pub mod convert;
pub mod cross;
pub mod cross_entropy;
pub mod cumsum;
mod delegate;
pub mod dropout;
pub mod elementwise;
pub mod embedding;
pub mod fill;
pub mod gather;
pub mod interpolate;
pub mod layer_norm;
pub mod matmul;
pub mod nll_loss;
pub mod padding;
pub mod permute;
pub mod pool2d;
pub mod recurrent;
pub mod reduce;
pub mod rotary;
pub mod softmax;

pub(crate) use delegate::{delegate, kernels};

use crate::arena::{plus, times};
use crate::device::Buf;

/// The list of rooms, each with its kernel trait: gives them to a macro, behind what else it is to
/// be given.
#[doc(hidden)]
#[macro_export]
macro_rules! rooms {
    ($then:ident $($more:tt)*) => {
        $then! {
            $($more)*
            argmax::Argmax,
            attention::Attention,
            batch_norm::BatchNorm,
            cat::Cat,
            conv2d::Conv2d,
            convert::Convert,
            cross::Cross,
            cross_entropy::CrossEntropy,
            cumsum::Cumsum,
            dropout::Dropout,
            elementwise::Map,
            embedding::Embedding,
            fill::Fill,
            gather::Gather,
            interpolate::Interpolate,
            layer_norm::LayerNorm,
            matmul::Matmul,
            nll_loss::NllLoss,
            padding::Padding,
            permute::Permute,
            pool2d::Pool2d,
            recurrent::Recurrent,
            reduce::Reduce,
            rotary::Rotary,
            softmax::Softmax,
        }
    };
}

macro_rules! kernels_of_rooms {
    ($($room:ident::$Kernels:ident,)*) => {
        /// The names of all rooms, by which tests find what belongs to one.
        #[doc(hidden)]
        pub const ROOMS: &[&str] = &[$(stringify!($room)),*];

        /// The kernels of all rooms.
        pub trait Rooms: $($room::$Kernels +)* {}

        impl<K: $($room::$Kernels +)*> Rooms for K {}
    };
}

crate::rooms!(kernels_of_rooms);

/// Panics where what is written overlaps what is read: a bug of the plan.
fn check_apart(writes: &[Buf], reads: &[Buf]) {
    let apart = writes.iter().all(|w| reads.iter().all(|r| !w.overlaps(*r)));
    assert!(apart, "gradiron: planned ranges overlap (a bug)");
}

/// The product of sizes. Beyond `usize` it is the largest number, so many elements that no range
/// has them: whoever compares a range with it finds that out.
#[inline(always)]
pub(crate) const fn product<const N: usize>(sizes: [usize; N]) -> usize {
    let (mut product, mut at) = (1_usize, 0);
    while at < N {
        product = times(product, sizes[at]);
        at += 1;
    }
    product
}

/// The sum of sizes, like [`product`].
#[inline(always)]
pub(crate) const fn sum<const N: usize>(sizes: [usize; N]) -> usize {
    let (mut sum, mut at) = (0_usize, 0);
    while at < N {
        sum = plus(sum, sizes[at]);
        at += 1;
    }
    sum
}

/// Panics where a range has not as many elements as the sizes of its kernel say.
#[inline]
fn check_len(what: &str, found: usize, said: usize) {
    assert!(
        found == said,
        "gradiron: {what} has {found} elements, and its sizes say {said} (a bug)"
    );
}

/// Panics where a range has fewer.
#[inline]
fn check_holds(what: &str, found: usize, said: usize) {
    assert!(
        found >= said,
        "gradiron: {what} has {found} elements, and its sizes say {said} (a bug)"
    );
}

/// What a window reaches along an axis.
const fn reach(kernel: usize, dilation: usize) -> usize {
    sum([product([dilation, kernel.saturating_sub(1)]), 1])
}

/// The places of a window along an axis of `padded` elements; none when it does not fit
/// (PyTorch's `Conv2d` and `MaxPool2d`): `⌊(padded − dilation·(kernel − 1) − 1) / stride⌋ + 1`.
const fn windows(padded: usize, kernel: usize, stride: usize, dilation: usize) -> usize {
    let reach = reach(kernel, dilation);
    if padded < reach { 0 } else { (padded - reach) / stride + 1 }
}

/// Panics where windows along an axis are none, or reach beyond what can be counted.
fn check_window(size: usize, kernel: usize, stride: usize, padding: usize, dilation: usize) {
    assert!(kernel > 0 && stride > 0 && dilation > 0, "gradiron: a window without a size (a bug)");
    // The last place that any tap of any window may have, and one step beyond it.
    let end = sum([size, product([2, padding]), stride, reach(kernel, dilation)]);
    assert!(end < usize::MAX / 2, "gradiron: a window that reaches beyond all numbers (a bug)");
}

/// What becomes of parts of a result as soon as they are complete, while they are in cache: called
/// with the start and the length of a part, in elements of the result. Parts do not overlap and
/// cover the result; calls come from any thread of the team.
pub(crate) type Finish<'a> = Option<&'a (dyn Fn(usize, usize) + Sync)>;
