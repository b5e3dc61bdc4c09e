//! A row of models whose output does not fit the next one.

use gradiron::prelude::*;

model! {
    pub struct Half {
        fc: Linear(16 -> 8),
    }

    fn forward(&self, x: [batch, 16]) -> [batch, 8] {
        self.fc(x).relu()
    }
}

model! {
    pub struct Net {
        halves: [Half; 3],
    }

    fn forward(&self, x: [batch, 16]) -> [batch, 16] {
        self.halves(x)
    }
}

fn main() {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(4).unwrap();
    println!("{}", net.forward(&mut ws, &[[0.0; 16]; 4]).unwrap()[0][0]);
}
