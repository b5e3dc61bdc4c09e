#![allow(dead_code)]
use gradiron::prelude::*;

#[derive(Module)]
struct Net { forward: Linear<784, 10> }
//~          ^^^^^^^ the name `forward` is what the module itself has
//~| help: give it another name, such as `forward_layer`

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(4)?;
    println!("{}", net.forward(&mut ws, &[[0.0; 784]; 4])?.len());
    Ok(())
}
