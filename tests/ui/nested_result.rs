//! A nested model's result is taken for another shape.

use gradiron::prelude::*;

model! {
    pub struct Encoder {
        fc: Linear(16 -> 8),
    }

    fn forward(&self, x: [batch, 16]) -> [batch, 8] {
        self.fc(x).relu()
    }
}

model! {
    pub struct Net {
        encoder: Encoder,
        head: Linear(16 -> 2),
    }

    fn forward(&self, x: [batch, 16]) -> [batch, 2] {
        let code = self.encoder(x);
        self.head(code)
    }
}

fn main() {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(4).unwrap();
    println!("{}", net.forward(&mut ws, &[[0.0; 16]; 4]).unwrap()[0][0]);
}
