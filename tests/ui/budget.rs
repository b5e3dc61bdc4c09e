//! A model that takes more than it may.

use gradiron::prelude::*;

const WIDTH: usize = 256;

model! {
    #[budget(train = "1 MiB", infer = "0.5 MiB", flops = "10 M", params = "50 k", batch = 64)]
    pub struct LeNet {
        conv1: Conv2d(1 -> 6, kernel = 5, padding = 2),
        conv2: Conv2d(6 -> 16, kernel = 5),
        fc1: Linear(400 -> 120),
        fc2: Linear(84),
        fc3: Linear(84 -> 10),
    }

    fn forward(&self, image: [batch, 1, 28, 28]) -> [batch, 10] {
        let x = self.conv1(image).relu().max_pool2d(2);
        let x = self.conv2(x).relu().max_pool2d(2).flatten();
        let x = self.fc1(x).relu();
        let x = self.fc2(x).relu();
        self.fc3(x)
    }

    fn loss(&self, image: [batch, 1, 28, 28], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(image), label)
    }
}

model! {
    pub struct Block<const D: usize> {
        norm: LayerNorm(D),
        up: Linear(D -> 1024),
        down: Linear(1024 -> D),
    }

    fn forward(&self, x: [batch, t, D]) -> [batch, t, D] {
        x + self.down(self.up(self.norm(x)).gelu())
    }

    // One of these holds.
    #[budget(train = "8 MB", infer = "1 GiB", batch = 8, t = 16)]
    pub struct Nested {
        first: Linear(10 -> WIDTH),
        blocks: [Block<256>; 4],
        head: Linear(WIDTH -> 3),
    }

    fn forward(&self, x: [batch, t, 10]) -> [batch, t, 3] {
        self.head(self.blocks(self.first(x)))
    }

    fn loss(&self, x: [batch, t, 10], y: [batch, t, 3]) -> [] {
        mse_loss(self.forward(x), y)
    }
}

#[derive(Module)]
#[budget(params = 50)]
pub struct Mlp {
    first: Linear<10, 4>,
    act: Relu,
    head: Linear<4, 2>,
}

fn main() {
    let _ = (LeNet::init(Seed(0)), Nested::init(Seed(0)), Mlp::init(Seed(0)));
    println!("{}", LeNet::footprint(64, Target::Host).train);
}
