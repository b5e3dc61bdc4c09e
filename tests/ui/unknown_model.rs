//! A nested model that is not there.

use gradiron::prelude::*;

model! {
    pub struct Net {
        encoder: Encoder,
        head: Linear(8 -> 2),
    }

    fn forward(&self, x: [batch, 16]) -> [batch, 2] {
        let code: [batch, 8] = self.encoder(x);
        self.head(code)
    }
}

fn main() {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(4).unwrap();
    println!("{}", net.forward(&mut ws, &[[0.0; 16]; 4]).unwrap()[0][0]);
}
