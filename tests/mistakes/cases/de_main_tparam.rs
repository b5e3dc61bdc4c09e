#![allow(dead_code)]
use gradiron::prelude::*;

#[derive(Module)]
struct Net<T> { fc: Linear<784, 10>, act: T }

fn main() {}
