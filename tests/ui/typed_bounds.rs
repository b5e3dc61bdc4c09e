//! The products of typenum need bounds; those of the library do not.

use std::ops::Mul;

use gradiron::prelude::*;
use gradiron::typenum::{Prod, U4};

#[derive(Module)]
struct Mlp<D: Size>
where
    U4: Mul<D>,
{
    up: typed::Linear<D, Prod<U4, D>>,
}

fn main() {
    println!("{}", 0);
}
