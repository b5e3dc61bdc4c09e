#![allow(dead_code)]
use gradiron::prelude::*;

#[derive(Module)]
#[module(inputs = [batch, 784])]
//~      ^^^^^^ there are `input = [batch, 784]`, `output = [batch, 10]` and, for further inputs, `with(mask: [10, 10])`
struct Net { fc: Linear<784, 10> }

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(4)?;
    println!("{}", net.forward(&mut ws, &[[0.0; 784]; 4])?.len());
    Ok(())
}
