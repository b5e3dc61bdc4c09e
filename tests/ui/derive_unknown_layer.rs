//! A layer that there is not, in a derived module.

use gradiron::prelude::*;

#[derive(Module)]
struct Mlp {
    fc1: Linear<784, 128>,
    fc2: Linaer<128, 10>,
}

fn main() {
    println!("{}", <Mlp as gradiron::Module>::PARAMS);
}
