//! DenseNet with bottlenecks, two blocks of three layers, for images of 8×8.

use gradiron::prelude::*;
use gradiron::view::{batch, flat};

use crate::golden::{Golden, Outcome, classifier};

model! {
    struct DenseNet {
        stem: Conv2d(3 -> 4, kernel = 3, padding = 1, bias = false),
        #[name = "block1.0"]
        a0: Dense<4, 2>,
        #[name = "block1.1"]
        a1: Dense<6, 2>,
        #[name = "block1.2"]
        a2: Dense<8, 2>,
        transition: Transition<10, 5>,
        #[name = "block2.0"]
        b0: Dense<5, 2>,
        #[name = "block2.1"]
        b1: Dense<7, 2>,
        #[name = "block2.2"]
        b2: Dense<9, 2>,
        norm: BatchNorm2d(11),
        fc: Linear(11 -> 5),
    }

    fn forward(&self, image: [n, 3, 8, 8]) -> [n, 5] {
        let x = self.a2(self.a1(self.a0(self.stem(image))));
        let x = self.b2(self.b1(self.b0(self.transition(x))));
        self.fc(self.norm(x).relu().mean(dim = [2, 3]))
    }

    fn loss(&self, image: [n, 3, 8, 8], label: Classes[n]) -> [] {
        cross_entropy(self.forward(image), label)
    }

    struct Dense<const I: usize, const GROWTH: usize> {
        norm1: BatchNorm2d(I),
        conv1: Conv2d(I -> 4 * GROWTH, kernel = 1, bias = false),
        norm2: BatchNorm2d(4 * GROWTH),
        conv2: Conv2d(4 * GROWTH -> GROWTH, kernel = 3, padding = 1, bias = false),
    }

    fn forward(&self, x: [n, I, h, w]) -> [n, I + GROWTH, h, w] {
        let y = self.conv1(self.norm1(x).relu());
        let y = self.conv2(self.norm2(y).relu());
        cat([x, y], dim = 1)
    }

    /// Halves the sides.
    struct Transition<const I: usize, const O: usize> {
        norm: BatchNorm2d(I),
        conv: Conv2d(I -> O, kernel = 1, bias = false),
    }

    fn forward(&self, x: [n, I, h, w]) -> [n, O, h / 2, w / 2] {
        self.conv(self.norm(x).relu()).avg_pool2d(2)
    }
}

classifier!(densenet, DenseNet, 3);
