#![allow(dead_code)]
use gradiron::prelude::*;

#[derive(Module)]
struct Net { fc: Linear<784, 10>, more: [Linear<10, 10>; 0] }
//~                                                      ^ layers in a row are written out one by one: their number is a literal from 1 to 1000

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(4)?;
    println!("{}", net.forward(&mut ws, &[[0.0; 784]; 4])?.len());
    Ok(())
}
