//! Sizes as types that do not fit where they are numbers.

use gradiron::prelude::*;
use gradiron::typenum::{U3, U4};

#[derive(Module)]
#[module(allow(linear_after_linear))] struct Two<D: Size, E: Size> {
    a: typed::Linear<D, E>,
    b: typed::Linear<D, E>,
}

model! {
    struct Around {
        two: Two<U3, U4>,
    }

    fn forward(&self, x: [batch, 3]) -> [batch, 4] {
        self.two(x)
    }
}

fn main() {
    let net = Around::init(Seed(0));
    println!("{}", net.params().len());
}
