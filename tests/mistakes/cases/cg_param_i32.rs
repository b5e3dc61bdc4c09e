#![allow(dead_code)]
use gradiron::prelude::*;

model! {
    pub struct Block<const WIDTH: i32> {
//~                               ^^^ `WIDTH` is a size, and a size is a `usize`
//~| help: write `usize`
        fc: Linear(WIDTH -> WIDTH),
    }

    fn forward(&self, x: [batch, WIDTH]) -> [batch, WIDTH] {
        self.fc(x).relu()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let net = Block::<32>::init(Seed(0));
    let mut ws = Block::<32>::workspace(4)?;
    let y = net.forward(&mut ws, &[[0.0; 32]; 4])?;
    println!("{} {:?}", y.len(), net.clone());
    Ok(())
}
