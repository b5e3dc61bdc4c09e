#![allow(dead_code)]
use gradiron::prelude::*;

#[derive(Module)]
struct Net { fc: Linear<784, 10>, act: Box<dyn Module> }
//~                                    ^^^^^^^^^^^^^^^ `Box<dyn Module>` is neither a layer nor a model
//~| help: a network is compiled for the models in it: name the one that is meant

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(4)?;
    println!("{}", net.forward(&mut ws, &[[0.0; 784]; 4])?.len());
    Ok(())
}
