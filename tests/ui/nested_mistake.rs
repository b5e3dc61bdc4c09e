//! A mistake in a model is reported there, not in the model around it.

use gradiron::prelude::*;

model! {
    pub struct Block<const D: usize = 64> {
        up: Linear(D -> 4 * D),
        down: Linear(3 * D -> D),
    }

    fn forward(&self, x: [batch, D]) -> [batch, D] {
        x + self.down(self.up(x).gelu())
    }
}

model! {
    pub struct Net {
        blocks: [Block<16>; 4],
    }

    fn forward(&self, x: [batch, 16]) -> [batch, 16] {
        self.blocks(x)
    }
}

fn main() {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(4).unwrap();
    println!("{}", net.forward(&mut ws, &[[0.0; 16]; 4]).unwrap()[0][0]);
}
