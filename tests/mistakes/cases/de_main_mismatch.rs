#![allow(dead_code)]
use gradiron::prelude::*;

#[derive(Module)]
struct Net { fc: Linear<784, 128>, fc2: Linear<100, 10> }
//~                                            ^^^ `fc2` expects [batch, 100] but receives [batch, 128]
//~| help: `fc` makes 128 features; write `Linear<128, 10>` here
//~| shapes: x [batch, 784] → fc [batch, 128] → fc2 ✗

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(4)?;
    println!("{}", net.forward(&mut ws, &[[0.0; 784]; 4])?.len());
    Ok(())
}
