#![allow(dead_code)]
use gradiron::prelude::*;

model! {
    pub struct Net {
        fc: Linear(32 -> 10),
    }

    fn forward(&self, x: [batch, 32]) -> [batch, 10] {
        self.fc(x).relu()
    }

    fn loss(&self, x: [batch, 32], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(x), label)
    }
    fn flops(&self, x: [batch, 32]) -> [batch, 10] {
//~    ^^^^^ the name `flops` is what each model has
//~| help: give it another name, such as `run_flops`
        self.fc(x)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut net = Net::init(Seed(0));
    let mut ws = Net::workspace(4)?;
    let mut adam = Adam::new(&net, 1e-3)?;
    let loss = net.loss_grad(&mut ws, &[[0.0; 32]; 4], &[1u8; 4])?;
    adam.step(&mut net, ws.grads());
    println!("{loss} {:?} {}", net.clone(), net.params().len());
    net.save("/tmp/none")?;
    Ok(())
}
