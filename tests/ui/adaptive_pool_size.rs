//! Parts of different sizes.

use gradiron::prelude::*;

model! {
    pub struct Head {
        pool: AdaptiveAvgPool2d(3),
    }

    fn forward(&self, x: [batch, 16, 8, 8]) -> [batch, 16, 3, 3] {
        self.pool(x)
    }
}

fn main() {
    Head::init(Seed(0));
}
