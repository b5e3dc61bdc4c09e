//! MobileNetV2's inverted residuals, with few channels and for images of 16×16.

use gradiron::prelude::*;
use gradiron::view::{batch, flat};

use crate::golden::{Golden, Outcome, classifier};

model! {
    struct MobileNetV2 {
        stem: Conv2d(3 -> 4, kernel = 3, stride = 2, padding = 1, bias = false),
        bn: BatchNorm2d(4),
        #[name = "blocks.0"]
        block0: Inverted<4, 12, 6, 1>,
        #[name = "blocks.1"]
        block1: Inverted<6, 18, 6, 1>,
        #[name = "blocks.2"]
        block2: Inverted<6, 18, 8, 2>,
        #[name = "blocks.3"]
        block3: Inverted<8, 24, 8, 1>,
        #[name = "blocks.4"]
        block4: Inverted<8, 24, 8, 1>,
        fc: Linear(8 -> 5),
    }

    fn forward(&self, image: [n, 3, 16, 16]) -> [n, 5] {
        let x = self.bn(self.stem(image)).clamp(0.0, 6.0);
        let x = self.block0(x);
        let x = x + self.block1(x);
        let x = self.block2(x);
        let x = x + self.block3(x);
        let x = x + self.block4(x);
        self.fc(x.mean(dim = [2, 3]))
    }

    fn loss(&self, image: [n, 3, 16, 16], label: Classes[n]) -> [] {
        cross_entropy(self.forward(image), label)
    }

    struct Inverted<const I: usize, const H: usize, const O: usize, const S: usize> {
        expand: Conv2d(I -> H, kernel = 1, bias = false),
        bn1: BatchNorm2d(H),
        depth: Conv2d(H -> H, kernel = 3, stride = S, padding = 1, groups = H, bias = false),
        bn2: BatchNorm2d(H),
        project: Conv2d(H -> O, kernel = 1, bias = false),
        bn3: BatchNorm2d(O),
    }

    fn forward(&self, x: [n, I, h, w]) -> [n, O, h / S, w / S] {
        let y = self.bn1(self.expand(x)).clamp(0.0, 6.0);
        let y = self.bn2(self.depth(y)).clamp(0.0, 6.0);
        self.bn3(self.project(y))
    }
}

classifier!(mobilenet_v2, MobileNetV2, 6);
