//! A module is a struct.

use gradiron::prelude::*;

#[derive(Module)]
enum Layer {
    Dense(Linear<784, 10>),
}

fn main() {
    let _ = Layer::Dense(Linear);
    println!("{}", <Layer as gradiron::Module>::PARAMS);
}
