//! What can be no field of a derived module.

use gradiron::prelude::*;

#[derive(Module)]
struct Mlp {
    fc1: Linear<784, 128>,
    scale: f32,
    rest: Vec<Linear<128, 128>>,
    last: Option<Linear<128, 10>>,
}

fn main() {
    println!("{}", <Mlp as gradiron::Module>::PARAMS);
}
