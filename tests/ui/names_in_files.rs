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

fn main() {}
