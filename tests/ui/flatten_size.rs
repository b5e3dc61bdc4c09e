//! The linear layer behind a flatten.

use gradiron::prelude::*;

model! {
    pub struct LeNet {
        conv1: Conv2d(1 -> 6, kernel = 5),
        conv2: Conv2d(6 -> 16, kernel = 5),
        fc: Linear(400 -> 10),
    }

    fn forward(&self, image: [batch, 1, 28, 28]) -> [batch, 10] {
        let x = self.conv1(image).relu().max_pool2d(2);
        let x = self.conv2(x).relu().max_pool2d(2).flatten();
        self.fc(x)
    }
}

fn main() {
    let net = LeNet::init(Seed(0));
    let mut ws = LeNet::workspace(64).unwrap();
    let logits = net.forward(&mut ws, &[[[[0.0; 28]; 28]; 1]; 64]).unwrap();
    println!("{} {}", logits[0][0], net.fc().bias()[0]);
}
