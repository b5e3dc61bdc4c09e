//! A branch by a constant that only rustc knows.

use gradiron::prelude::*;

const TRAIN: bool = true;

model! {
    pub struct Mlp {
        fc1: Linear(784 -> 128),
        fc2: Linear(128 -> 10),
    }

    fn forward(&self, image: [batch, 784]) -> [batch, 10] {
        let x = self.fc1(image);
        let x = if TRAIN { x.relu() } else { x.tanh() };
        self.fc2(x)
    }

    fn loss(&self, image: [batch, 784], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(image), label)
    }
}

fn main() {
    let mut net = Mlp::init(Seed(0));
    let mut ws = Mlp::workspace(64).unwrap();
    let mut sgd = Sgd::new(&net, 0.1).unwrap();
    let loss: f32 = net.loss_grad(&mut ws, &[[0.0; 784]; 64], &[0_u8; 64]).unwrap();
    sgd.step(&mut net, ws.grads());
    let logits: &[[f32; 10]] = net.forward(&mut ws, &[[0.0; 784]; 64]).unwrap();
    println!("{loss} {} {} {}", logits[0][0], Mlp::PARAMS, net.fc1().weight()[0][0]);
}
