//! `#[frozen]` where there is nothing to hold fixed, and a field that is detached by mistake.

use gradiron::prelude::*;

model! {
    pub struct Mlp {
        #[frozen(true)]
        fc1: Linear(784 -> 128),
        fc2: Linear(128 -> 64),
        #[frozen]
        drop: Dropout(0.1),
        fc3: Linear(64 -> 10),
    }

    fn loss(&self, image: [batch, 784], label: Classes[batch]) -> [] {
        let x = self.fc2(self.fc1(image).relu()).detach();
        cross_entropy(self.fc3(self.drop(x)), label)
    }
}

fn main() {}
