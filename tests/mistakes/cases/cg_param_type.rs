#![allow(dead_code)]
use gradiron::prelude::*;

model! {
    pub struct Block<T> {
//~                  ^ a model's parameters are sizes, and `T` is none yet
//~| help: write `const T: usize`
        fc: Linear(T -> T),
    }

    fn forward(&self, x: [batch, T]) -> [batch, T] {
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
