// weak: rustc adds the trait that the method is of
#![allow(dead_code)]
use gradiron::prelude::*;

model! {
    pub struct Mlp {
        fc1: Linear(784 -> 128),
        fc2: Linear(128 -> 10),
    }

    fn forward(&self, x: [batch, 784]) -> [batch, 10] {
        self.fc2(self.fc1(x).relu())
    }

    fn loss(&self, x: [batch, 784], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(x), label)
    }
}

#[allow(unused)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut net = Mlp::init(Seed(0));
    let mut ws = Mlp::workspace(64)?;
    let mut adam = Adam::new(&net, 1e-3)?;
    let x = vec![[0.0f32; 784]; 64];
    let label = vec![0u8; 64];
    net.eval();
//~     ^^^^ E0599
    Ok(())
}
