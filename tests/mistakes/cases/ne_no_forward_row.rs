#![allow(dead_code)]
use gradiron::prelude::*;

model! {
    pub struct Blocks { fc: Linear(32 -> 32) }
    fn encode(&self, x: [batch, 32]) -> [batch, 32] { self.fc(x) }
    fn decode(&self, x: [batch, 32]) -> [batch, 32] { self.fc(x) }
}

model! {
    pub struct Outer {
        block: [Blocks; 2],
        head: Linear(32 -> 10),
    }

    fn forward(&self, x: [batch, 32]) -> [batch, 10] {
        self.head(self.block(x))
//~                    ^^^^^ `Blocks` has no function `forward`
//~| help: it has `encode` and `decode`; write `self.block.encode(x)`
    }

    fn loss(&self, x: [batch, 32], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(x), label)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut net = Outer::init(Seed(0));
    let mut ws = Outer::workspace(4)?;
    let mut adam = Adam::new(&net, 1e-3)?;
    let loss = net.loss_grad(&mut ws, &[[0.0; 32]; 4], &[1u8; 4])?;
    adam.step(&mut net, ws.grads());
    println!("{loss}");
    Ok(())
}
