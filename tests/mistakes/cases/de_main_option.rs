#![allow(dead_code)]
use gradiron::prelude::*;

#[derive(Module)]
struct Net { fc: Option<Linear<784, 10>> }
//~              ^^^^^^^^^^^^^^^^^^^^^^^ `Option<Linear<784, 10>>` is neither a layer nor a model
//~| help: a model has all its layers: write `fc: Linear<784, 10>`

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(4)?;
    println!("{}", net.forward(&mut ws, &[[0.0; 784]; 4])?.len());
    Ok(())
}
