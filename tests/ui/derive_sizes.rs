//! Layers of a derived module that do not fit.

use gradiron::prelude::*;

#[derive(Module)]
struct Mlp {
    fc1: Linear<784, 128>,
    act: Relu,
    fc2: Linear<100, 10>,
}

fn main() {
    let net = Mlp::init(Seed(0));
    let mut ws = Mlp::workspace(4).unwrap();
    println!("{}", net.forward(&mut ws, &[[0.0; 784]; 4]).unwrap()[0][0]);
}
