//! Ranges, indices and sizes that an axis does not have.

use gradiron::prelude::*;

const WIDTH: usize = 8;

model! {
    fn parts(x: [batch, 5, WIDTH]) -> [batch, 5, 3] {
        let row = x.select(1, -6);
        let rest = x.reshape([batch, 3, -1]);
        let twice = x.expand([batch, 10, WIDTH]);
        x.slice(2, 6..3)
    }
}

model! {
    fn too_long(x: [batch, WIDTH]) -> [batch, 3] {
        x.slice(1, 7..10)
    }
}

fn main() {}
