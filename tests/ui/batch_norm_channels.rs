//! The channels of another layer.

use gradiron::prelude::*;

model! {
    pub struct Block {
        conv: Conv2d(3 -> 16, kernel = 3, padding = 1, bias = false),
        bn: BatchNorm2d(32),
    }

    fn forward(&self, x: [batch, 3, 8, 8]) -> [batch, 16, 8, 8] {
        self.bn(self.conv(x)).relu()
    }
}

fn main() {
    let net = Block::init(Seed(0));
    println!("{}", net.params().len());
}
