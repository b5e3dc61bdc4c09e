//! Every operation: the forward kernel against a naive `f64` reference, the reference backward
//! against central differences, the backward kernel against the reference backward; on every
//! instruction set of the processor, with the same bits for any number of threads; with the feature
//! `cuda`, on a GPU too.

mod any;
#[cfg(feature = "cuda")]
mod cuda;
#[cfg(feature = "cuda")]
mod halves;
mod harness;

mod argmax;
mod attention;
mod batch_norm;
mod cat;
mod conv2d;
mod conv2d_memory;
mod conv2d_products;
mod conv2d_reach;
mod convert;
mod cross;
mod cross_entropy;
mod cumsum;
mod dropout;
mod elementwise;
mod embedding;
mod fill;
mod gather;
mod interpolate;
mod layer_norm;
mod map;
mod matmul;
mod nll_loss;
mod padding;
mod permute;
mod pool2d;
mod prepared;
mod recurrent;
mod reduce;
mod rooms;
mod rotary;
mod softmax;
mod then;
