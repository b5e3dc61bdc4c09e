//! One model's gradients and another's optimizer.

use gradiron::prelude::*;

model! {
    pub struct Small {
        fc: Linear(4 -> 1),
    }

    fn loss(&self, x: [batch, 4], y: [batch, 1]) -> [] {
        mse_loss(self.fc(x), y)
    }
}

model! {
    pub struct Large {
        fc: Linear(8 -> 1),
    }

    fn loss(&self, x: [batch, 8], y: [batch, 1]) -> [] {
        mse_loss(self.fc(x), y)
    }
}

fn main() {
    let mut small = Small::init(Seed(0));
    let large = Large::init(Seed(0));
    let mut ws = Large::workspace(4).unwrap();
    let mut sgd = Sgd::new(&small, 0.1).unwrap();
    large.loss_grad(&mut ws, &[[0.0; 8]; 4], &[[0.0]; 4]).unwrap();
    sgd.step(&mut small, ws.grads());
}
