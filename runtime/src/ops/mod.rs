//! The operations, one room each: the mathematics, the kernel trait, a naive `f64` reference and
//! the CPU kernels.

pub mod conv2d;
pub mod copy;
pub mod cross_entropy;
pub mod elementwise;
pub mod matmul;
pub mod nll_loss;
pub mod permute;
pub mod pool2d;
pub mod reduce;
pub mod softmax;
