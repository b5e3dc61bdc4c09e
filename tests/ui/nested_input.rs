//! A model inside another one receives the wrong shape.

use gradiron::prelude::*;

model! {
    pub struct Block<const D: usize = 64> {
        up: Linear(D -> 4 * D),
        down: Linear(4 * D -> D),
    }

    fn forward(&self, x: [batch, D]) -> [batch, D] {
        x + self.down(self.up(x).gelu())
    }
}

model! {
    pub struct Net {
        first: Linear(16 -> 32),
        block: Block<64>,
    }

    fn forward(&self, x: [batch, 16]) -> [batch, 32] {
        let x = self.first(x).relu();
        self.block(x)
    }
}

fn main() {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(4).unwrap();
    println!("{}", net.forward(&mut ws, &[[0.0; 16]; 4]).unwrap()[0][0]);
}
