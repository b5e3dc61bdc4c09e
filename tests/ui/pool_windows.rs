//! Windows that lie in the padding alone, by constants that only rustc knows.

use gradiron::prelude::*;

const SIDE: usize = 2;
const APART: usize = 3;
const PADDING: usize = 2;
const KERNEL: usize = 3;

model! {
    fn beside(x: [batch, 1, SIDE, 8]) -> [batch, 1, SIDE - 1, 7] {
        x.max_pool2d(2, stride = 1, padding = 1, dilation = APART)
    }

    fn padded(x: [batch, 1, 8, 8]) -> [batch, 1, 10, 10] {
        x.avg_pool2d(KERNEL, stride = 1, padding = PADDING)
    }

    fn right(x: [batch, 1, 8, 8]) -> [batch, 1, 7, 7] {
        x.max_pool2d(2, stride = 1, padding = 1, dilation = APART)
    }
}

fn main() {
    let mut ws = beside_workspace(1).unwrap();
    println!("{:?}", right(&mut ws, &[[[[0.0; 8]; 8]]]).unwrap());
}
