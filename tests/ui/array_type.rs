//! Input arrays of another size.

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
    let small = Small::init(Seed(0));
    let large = Large::init(Seed(0));
    let (mut a, mut b) = (Small::workspace(4).unwrap(), Large::workspace(4).unwrap());
    small.loss(&mut a, &[[0.0; 5]; 4], &[[0.0]; 4]).unwrap();
    large.loss(&mut b, &[[0.0; 8]; 4], &[0.0; 4]).unwrap();
}
