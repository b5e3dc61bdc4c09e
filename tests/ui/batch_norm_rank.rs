//! A norm for images over rows of features.

use gradiron::prelude::*;

model! {
    pub struct Mlp {
        fc: Linear(8 -> 16),
        bn: BatchNorm2d(16),
    }

    fn forward(&self, x: [batch, 8]) -> [batch, 16] {
        self.bn(self.fc(x)).relu()
    }
}

fn main() {
    let net = Mlp::init(Seed(0));
    println!("{}", net.params().len());
}
