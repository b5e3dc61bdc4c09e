//! A target of another shape is not broadcast.

use gradiron::prelude::*;

model! {
    pub struct Line {
        line: Linear(3 -> 1),
    }

    fn loss(&self, x: [batch, 3], y: [batch]) -> [] {
        mse_loss(self.line(x), y)
    }
}

fn main() {
    let net = Line::init(Seed(0));
    let mut ws = Line::workspace(4).unwrap();
    println!("{}", net.loss(&mut ws, &[[0.0; 3]; 4], &[0.0; 4]).unwrap());
}
