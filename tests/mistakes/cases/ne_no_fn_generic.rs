#![allow(dead_code)]
use gradiron::prelude::*;

model! {
    pub struct Block<const WIDTH: usize> {
        fc: Linear(WIDTH -> WIDTH),
    }

    fn forward(&self, x: [batch, WIDTH]) -> [batch, WIDTH] {
        x + self.fc(x).relu()
    }
}

model! {
    pub struct Outer<const D: usize> {
        block: Block<D>,
        head: Linear(D -> 10),
    }

    fn forward(&self, x: [batch, D]) -> [batch, 10] {
        self.head(self.block.enocde(x))
//~                          ^^^^^^ `Block<D>` has no function `enocde`
//~| help: it has `forward`; write `self.block(x)`
    }

    fn loss(&self, x: [batch, D], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(x), label)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut net = Outer::<32>::init(Seed(0));
    let mut ws = Outer::<32>::workspace(4)?;
    let mut adam = Adam::new(&net, 1e-3)?;
    let loss = net.loss_grad(&mut ws, &[[0.0; 32]; 4], &[1u8; 4])?;
    adam.step(&mut net, ws.grads());
    println!("{loss}");
    Ok(())
}
