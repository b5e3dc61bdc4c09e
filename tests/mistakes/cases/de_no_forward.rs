#![allow(dead_code)]
use gradiron::prelude::*;

model! {
    pub struct Blocks { fc: Linear(32 -> 32) }
    fn encode(&self, x: [batch, 32]) -> [batch, 32] { self.fc(x) }
    fn decode(&self, x: [batch, 32]) -> [batch, 32] { self.fc(x) }
}

#[derive(Module)]
#[module(input = [batch, 32])]
pub struct Outer { block: Blocks, head: Linear<32, 10> }
//~                ^^^^^ `Blocks` has no function `forward`
//~| help: it has `encode` and `decode`

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let net = Outer::init(Seed(0));
    let mut ws = Outer::workspace(4)?;
    println!("{}", net.forward(&mut ws, &[[0.0; 32]; 4])?.len());
    Ok(())
}
