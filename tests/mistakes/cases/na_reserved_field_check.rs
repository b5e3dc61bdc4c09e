#![allow(dead_code)]
use gradiron::prelude::*;

model! {
    pub struct Net {
        fc: Linear(32 -> 10),
        __CHECK: Linear(10 -> 10),
//~     ^^^^^^^ the name `__CHECK` starts as names of generated code do
//~| help: give it another name, such as `check_layer`
    }

    fn forward(&self, x: [batch, 32]) -> [batch, 10] {
        self.__CHECK(self.fc(x))
    }

    fn loss(&self, x: [batch, 32], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(x), label)
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
