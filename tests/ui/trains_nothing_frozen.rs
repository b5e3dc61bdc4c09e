//! The step of a loss that reaches frozen parameters alone.

use gradiron::prelude::*;

model! {
    pub struct Line {
        #[frozen]
        fc: Linear(2 -> 1),
    }

    fn loss(&self, x: [batch, 2]) -> [] {
        self.fc(x).square().mean()
    }
}

fn main() {
    let net = Line::init(Seed(0));
    let mut ws = Line::workspace(1).unwrap();
    net.loss_grad(&mut ws, &[[0.0; 2]]).unwrap();
}
