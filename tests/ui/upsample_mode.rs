//! A mode of interpolation that there is not.

use gradiron::prelude::*;

model! {
    pub struct Up {
        up: Upsample(2, mode = cubic),
    }

    fn forward(&self, x: [batch, 16, 8, 8]) -> [batch, 16, 16, 16] {
        self.up(x)
    }
}

fn main() {
    println!("{}", Up::PARAMS);
}
