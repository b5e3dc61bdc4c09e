#![allow(dead_code)]
use gradiron::prelude::*;

#[derive(Module)]
#[module()]
//~[1..12] `module` states nothing here
//~| help: write `#[module(input = [batch, 784])]`, or take it out
struct Net { fc: Linear<784, 10> }

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(4)?;
    println!("{}", net.forward(&mut ws, &[[0.0; 784]; 4])?.len());
    Ok(())
}
