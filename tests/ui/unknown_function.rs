//! A loss that goes by another name.

use gradiron::prelude::*;

model! {
    pub struct Line {
        line: Linear(1 -> 1),
    }

    fn loss(&self, x: [batch, 1], y: [batch, 1]) -> [] {
        mse(self.line(x), y)
    }
}

fn main() {
    let net = Line::init(Seed(0));
    let mut ws = Line::workspace(4).unwrap();
    println!("{} {}", net.loss(&mut ws, &[[0.0]; 4], &[[0.0]; 4]).unwrap(), net.line().bias()[0]);
}
