#![allow(dead_code)]
use gradiron::prelude::*;

#[derive(Module)]
struct Net { fc: Linear<784, 0> }
//~                          ^ a size of 0
//~| help: sizes start at 1

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(4)?;
    println!("{}", net.forward(&mut ws, &[[0.0; 784]; 4])?.len());
    Ok(())
}
