//! A reshape that only rustc can check.

use gradiron::prelude::*;

const WIDTH: usize = 32;
const HEADS: usize = 12;

model! {
    fn heads(x: [batch, WIDTH]) -> [batch, HEADS, 2] {
        x.reshape([batch, HEADS, WIDTH / HEADS])
    }
}

fn main() {
    let mut ws = heads_workspace(1).unwrap();
    println!("{:?}", heads(&mut ws, &[[0.0; WIDTH]]).unwrap());
}
