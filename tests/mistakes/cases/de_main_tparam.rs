#![allow(dead_code)]
use gradiron::prelude::*;

#[derive(Module)]
struct Net<T> { fc: Linear<784, 10>, act: T }
//~                                       ^ `T` is a size, not a layer
//~| help: the fields are layers and models: `act: typed::Linear<T, U10>`

fn main() {}
