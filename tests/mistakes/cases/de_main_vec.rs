#![allow(dead_code)]
use gradiron::prelude::*;

#[derive(Module)]
struct Net { fc: Linear<784, 10>, more: Vec<Linear<10, 10>> }
//~                                     ^^^^^^^^^^^^^^^^^^^ `Vec<Linear<10, 10>>` is neither a layer nor a model
//~| help: a row has a fixed length: write `more: [Linear<10, 10>; 3]`

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(4)?;
    println!("{}", net.forward(&mut ws, &[[0.0; 784]; 4])?.len());
    Ok(())
}
