#![allow(dead_code)]
use gradiron::prelude::*;

#[derive(Module)]
struct Net { #[module] fc: Linear<784, 10> }
//~          ^^^^^^^^^ `module` states nothing here
//~| help: write `#[module(output = [batch, 10])]`, or take it out

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(4)?;
    println!("{}", net.forward(&mut ws, &[[0.0; 784]; 4])?.len());
    Ok(())
}
