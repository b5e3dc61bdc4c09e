//! Branches and connections of a derived module that do not fit.

use gradiron::prelude::*;

#[derive(Module)]
struct Mlp {
    fc1: Linear<784, 32>,
    ff: Residual<(Linear<32, 64>, Gelu, Linear<64, 16>)>,
}

fn main() {
    let net = Mlp::init(Seed(0));
    let mut ws = Mlp::workspace(4).unwrap();
    println!("{}", net.forward(&mut ws, &[[0.0; 784]; 4]).unwrap().len());
}
