//! Pictures of two sizes beside each other.

use gradiron::prelude::*;

model! {
    pub struct Skip {
        down: Conv2d(3 -> 16, kernel = 3, stride = 2, padding = 1),
        up: Upsample(2),
        out: Conv2d(19 -> 1, kernel = 1),
    }

    fn forward(&self, image: [batch, 3, 64, 64]) -> [batch, 1, 64, 64] {
        let x = self.down(image).relu();
        self.out(cat([image, x], dim = 1))
    }
}

fn main() {
    let net = Skip::init(Seed(0));
    println!("{}", net.params().len());
}
