//! Sizes of the other kind than those of the layer.

use gradiron::prelude::*;
use gradiron::typenum::U10;

#[derive(Module)]
struct Types<D: Size> {
    fc: Linear<D, U10>,
}

#[derive(Module)]
struct Numbers {
    fc: typed::Linear<64, 10>,
}

#[derive(Module)]
struct NoSize {
    fc: typed::Linear<U10, f32>,
}

struct Ten;

#[derive(Module)]
struct NoSizeEither {
    fc: typed::Linear<U10, Ten>,
}

fn main() {
    println!("{}", <Numbers as gradiron::Module>::PARAMS);
}
