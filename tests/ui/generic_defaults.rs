//! A generic model that is wrong for its own defaults.

use gradiron::prelude::*;

model! {
    pub struct Block<const D: usize = 8, const H: usize = 5> {
        up: Linear(D -> 4 * D),
        down: Linear(8 * H -> D),
    }

    fn forward(&self, x: [batch, D]) -> [batch, D] {
        x + self.down(self.up(x).gelu())
    }
}

model! {
    pub struct Fine<const D: usize = 8> {
        up: Linear(D -> 32),
        down: Linear(4 * D -> D),
    }

    fn forward(&self, x: [batch, D]) -> [batch, D] {
        x + self.down(self.up(x).gelu())
    }
}

fn main() {
    println!("{} {}", <Block>::PARAMS, <Fine>::PARAMS);
}
