//! Branches and connections of a derived module that do not fit.

use gradiron::prelude::*;

#[derive(Module)]
struct Mlp {
    fc1: Linear<784, 32>,
    ff: Residual<(Linear<32, 64>, Gelu, Linear<64, 16>)>,
}

fn main() {
    println!("{}", <Mlp as gradiron::Module>::PARAMS);
}
