//! Whole models: their gradients against differences, and what they promise besides.

#[macro_use]
mod macros;

mod batch_norm;
mod check;
mod data;
mod derived;
mod dropout;
mod elementwise;
mod equal;
mod far;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod flush;
mod functions;
mod fused;
mod images;
mod indices;
mod layers;
mod lengths;
mod losses;
mod masks;
mod nested;
mod prepared;
mod promises;
mod raw;
mod scan;
mod shapes;
mod sizes;
mod step;
mod streams;
mod sums;
