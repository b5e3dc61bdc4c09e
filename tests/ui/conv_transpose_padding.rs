//! More output padding than a stride.

use gradiron::prelude::*;

model! {
    pub struct Up {
        up: ConvTranspose2d(16 -> 8, kernel = 2, stride = 2, output_padding = 2),
    }

    fn forward(&self, x: [batch, 16, 8, 8]) -> [batch, 8, 16, 16] {
        self.up(x)
    }
}

fn main() {
    let net = Up::init(Seed(0));
    println!("{}", net.params().len());
}
