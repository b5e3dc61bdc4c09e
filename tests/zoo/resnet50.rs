//! ResNet-50 with few channels, for images of 48×48.

use gradiron::prelude::*;
use gradiron::view::{batch, flat};

use crate::golden::{Golden, Outcome, classifier};

model! {
    struct ResNet50 {
        conv1: Conv2d(3 -> 4, kernel = 7, stride = 2, padding = 3, bias = false),
        bn1: BatchNorm2d(4),
        #[name = "layer1.0"]
        down1: Down<4, 2, 1>,
        #[name = "layer1.1.."]
        layer1: [Bottleneck<2>; 2],
        #[name = "layer2.0"]
        down2: Down<8, 3, 2>,
        #[name = "layer2.1.."]
        layer2: [Bottleneck<3>; 3],
        #[name = "layer3.0"]
        down3: Down<12, 4, 2>,
        #[name = "layer3.1.."]
        layer3: [Bottleneck<4>; 5],
        #[name = "layer4.0"]
        down4: Down<16, 5, 2>,
        #[name = "layer4.1.."]
        layer4: [Bottleneck<5>; 2],
        fc: Linear(20 -> 5),
    }

    fn forward(&self, image: [n, 3, 48, 48]) -> [n, 5] {
        let x = self.bn1(self.conv1(image)).relu().max_pool2d(3, stride = 2, padding = 1);
        let x = self.layer1(self.down1(x));
        let x = self.layer2(self.down2(x));
        let x = self.layer3(self.down3(x));
        let x = self.layer4(self.down4(x));
        self.fc(x.adaptive_avg_pool2d(1).flatten())
    }

    fn loss(&self, image: [n, 3, 48, 48], label: Classes[n]) -> [] {
        cross_entropy(self.forward(image), label)
    }

    struct Bottleneck<const W: usize> {
        conv1: Conv2d(4 * W -> W, kernel = 1, bias = false),
        bn1: BatchNorm2d(W),
        conv2: Conv2d(W -> W, kernel = 3, padding = 1, bias = false),
        bn2: BatchNorm2d(W),
        conv3: Conv2d(W -> 4 * W, kernel = 1, bias = false),
        bn3: BatchNorm2d(4 * W),
    }

    fn forward(&self, x: [n, 4 * W, h, w]) -> [n, 4 * W, h, w] {
        let y = self.bn1(self.conv1(x)).relu();
        let y = self.bn2(self.conv2(y)).relu();
        (self.bn3(self.conv3(y)) + x).relu()
    }

    /// A block of another number of channels, in steps of `S`.
    struct Down<const I: usize, const W: usize, const S: usize> {
        conv1: Conv2d(I -> W, kernel = 1, bias = false),
        bn1: BatchNorm2d(W),
        conv2: Conv2d(W -> W, kernel = 3, stride = S, padding = 1, bias = false),
        bn2: BatchNorm2d(W),
        conv3: Conv2d(W -> 4 * W, kernel = 1, bias = false),
        bn3: BatchNorm2d(4 * W),
        #[name = "downsample.0"]
        shortcut: Conv2d(I -> 4 * W, kernel = 1, stride = S, bias = false),
        #[name = "downsample.1"]
        norm: BatchNorm2d(4 * W),
    }

    fn forward(&self, x: [n, I, h, w]) -> [n, 4 * W, (h - 1) / S + 1, (w - 1) / S + 1] {
        let y = self.bn1(self.conv1(x)).relu();
        let y = self.bn2(self.conv2(y)).relu();
        (self.bn3(self.conv3(y)) + self.norm(self.shortcut(x))).relu()
    }
}

classifier!(resnet50, ResNet50, 6);
