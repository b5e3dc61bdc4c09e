#![allow(dead_code)]
use gradiron::prelude::*;

#[derive(Module)]
struct Net {}
//~    ^^^ `Net` has no layers
//~| help: write `struct Net { fc1: Linear<784, 128> }`

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(4)?;
    println!("{}", net.forward(&mut ws, &[[0.0; 784]; 4])?.len());
    Ok(())
}
