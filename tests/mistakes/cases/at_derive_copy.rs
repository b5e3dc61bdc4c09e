#![allow(dead_code)]
use gradiron::prelude::*;

model! {
    #[derive(Copy, Clone)]
//~          ^^^^ a model does not derive `Copy`
//~| help: take it out: parameters are copied where `clone()` is written
    pub struct Net {
        fc: Linear(32 -> 32),
    }

    fn forward(&self, x: [batch, 32]) -> [batch, 32] {
        self.fc(x).relu()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(4)?;
    let y = net.forward(&mut ws, &[[0.0; 32]; 4])?;
    println!("{} {:?}", y.len(), net.clone());
    Ok(())
}
