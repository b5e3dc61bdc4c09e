//! The shapes at the ends of a derived module are not known.

use gradiron::prelude::*;

#[derive(Module)]
struct Cnn {
    conv: Conv2d<1, 8, 3>,
    act: Relu,
}

fn main() {
    println!("{}", <Cnn as gradiron::Module>::PARAMS);
}
