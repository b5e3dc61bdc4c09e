//! Sizes as numbers that they cannot be.

use gradiron::prelude::*;

const WIDTH: usize = 8;

model! {
    struct Net<const D: usize> {
        fc: Linear(D -> D),
    }

    fn forward(&self, x: [batch, D]) -> [batch, D] {
        let a = x / batch as f64;
        let b = x / rows as f32;
        let c = x * (3 / batch);
        let d = x.softplus(beta = 1.0 / D as f32);
        self.fc(x as f32)
    }
}

model! {
    fn no_float(x: [batch, WIDTH]) -> [batch, WIDTH] {
        x / WIDTH
    }
}

fn main() {}
