#![allow(dead_code)]
use gradiron::prelude::*;

#[derive(Module)]
struct Net { fc: Linear<784, 10>, w: [f32; 10] }
//~                                   ^^^ `f32` is neither a layer nor a model
//~| help: the struct holds no numbers; a `model!` has parameters of its own, `scale: Param([1],
//~|   init = ones)`

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(4)?;
    println!("{}", net.forward(&mut ws, &[[0.0; 784]; 4])?.len());
    Ok(())
}
