//! Neighbours in a module with sizes as types that do not fit, whatever the sizes are.

use gradiron::prelude::*;
use gradiron::typenum::{U3, U4, U64};

#[derive(Module)]
struct Mlp<D: Size> {
    up: typed::Linear<D, Times<U4, D>>,
    act: Gelu,
    down: typed::Linear<Times<U3, D>, D>,
}

fn main() {
    let net = Mlp::<U64>::init(Seed(0));
    let mut ws = Mlp::<U64>::workspace(4).unwrap();
    println!("{}", net.forward(&mut ws, &[0.0; 256]).unwrap()[0]);
}
