//! A constant that is not there.

use gradiron::prelude::*;

const WIDTH: usize = 128;

model! {
    pub struct Mlp {
        fc1: Linear(784 -> WIDHT),
        fc2: Linear(WIDTH -> 10),
    }

    fn forward(&self, image: [batch, 784]) -> [batch, 10] {
        let x = self.fc1(image).relu();
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
    println!("{loss} {} {} {}", logits[0][0], Mlp::PARAMS, 0);
}
