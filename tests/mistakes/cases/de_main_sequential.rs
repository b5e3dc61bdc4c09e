#![allow(dead_code)]
use gradiron::prelude::*;

#[derive(Module)]
struct Net { fc: Sequential<(Linear<784, 10>, Relu)> }
//~              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ `Sequential<(Linear<784, 10>, Relu)>` is neither a layer nor a model
//~| help: layers in a row are a tuple: write `fc: (Linear<784, 128>, Relu)`

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(4)?;
    println!("{}", net.forward(&mut ws, &[[0.0; 784]; 4])?.len());
    Ok(())
}
