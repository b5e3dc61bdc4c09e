//! Names of fields in files, and other attributes.

use gradiron::prelude::*;

model! {
    pub struct Mlp {
        #[name = "fc"]
        fc1: Linear(784 -> 128),
        #[name = "fc"]
        fc2: Linear(128 -> 64),
        #[name = fc3]
        fc3: Linear(64 -> 32),
        #[cfg(test)]
        fc4: Linear(32 -> 10),
    }

    fn forward(&self, image: [batch, 784]) -> [batch, 10] {
        self.fc4(self.fc3(self.fc2(self.fc1(image))))
    }
}

model! {
    pub struct Numbers {
        #[name = "layer.1.."]
        one: Linear(784 -> 64),
        #[name = "layer.first.."]
        row: [Linear(64 -> 64); 2],
    }

    fn forward(&self, image: [batch, 784]) -> [batch, 64] {
        self.row(self.one(image))
    }
}

fn main() {}
