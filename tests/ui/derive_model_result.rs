//! A model in a derived module whose result is not what the module takes it for.

use gradiron::prelude::*;

#[derive(Module)]
struct Inner(Linear<4, 3>);

#[derive(Module)]
struct Outer {
    fc: Linear<2, 4>,
    inner: Inner,
}

fn main() {
    println!("{}", <Outer as gradiron::Module>::PARAMS);
}
