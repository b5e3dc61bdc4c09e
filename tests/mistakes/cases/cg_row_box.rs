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
    pub struct Outer {
        block: [Box<Block<32>>; 3],
//~            ^^^^^^^^^^^^^^^^^^^ `[Box<Block<32>>; 3]` is neither a layer nor a model
//~| help: write `block: [Block<32>; 3]`
        head: Linear(32 -> 10),
    }

    fn forward(&self, x: [batch, 32]) -> [batch, 10] {
        self.head(self.block(x))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let net = Outer::init(Seed(0));
    let mut ws = Outer::workspace(4)?;
    let y = net.forward(&mut ws, &[[0.0; 32]; 4])?;
    println!("{}", y.len());
    Ok(())
}
