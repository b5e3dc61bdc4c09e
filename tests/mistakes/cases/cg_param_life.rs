#![allow(dead_code)]
use gradiron::prelude::*;

model! {
    pub struct Block<'a> {
//~                  ^^ a model borrows nothing: its parameters are constants
//~| help: take the parameter out
        fc: Linear(32 -> 32),
    }

    fn forward(&self, x: [batch, 32]) -> [batch, 32] {
        self.fc(x).relu()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let net = Block::init(Seed(0));
    let mut ws = Block::workspace(4)?;
    let y = net.forward(&mut ws, &[[0.0; 32]; 4])?;
    println!("{} {:?}", y.len(), net.clone());
    Ok(())
}
