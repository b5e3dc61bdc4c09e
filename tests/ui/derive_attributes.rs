//! Attributes of a derived module that stand twice, or in the wrong place.

use gradiron::prelude::*;

#[derive(Module)]
#[module(input = [batch, 784], input = [batch, 28])]
#[frozen]
struct Mlp {
    #[module(input = [batch, 784])]
    fc1: Linear<784, 128>,
    #[name = "a"]
    #[name = "b"]
    fc2: Linear<128, 10>,
}

fn main() {
    println!("{}", <Mlp as gradiron::Module>::PARAMS);
}
