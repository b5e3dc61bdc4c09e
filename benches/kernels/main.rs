//! Times of kernels beside the limits of the machine:
//! `cargo bench --bench kernels [-- [--threads N] [PART OF A NAME…]]`.
//!
//! A line has the median and the best time, the rates, and how much of the median the limit that
//! binds would take: 100 % is the roofline.

#[path = "../common/args.rs"]
mod args;
#[path = "../common/limits.rs"]
mod limits;

mod bench;
mod conv2d;
mod elementwise;
mod images;
mod matmul;
mod rows;

use args::Args;
use bench::Bench;

fn main() {
    let mut bench = Bench::new(Args::parse());
    matmul::run(&mut bench);
    conv2d::run(&mut bench);
    images::run(&mut bench);
    rows::run(&mut bench);
    elementwise::run(&mut bench);
}
