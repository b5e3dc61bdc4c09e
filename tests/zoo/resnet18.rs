//! ResNet-18 with few channels, for images of 16×16.

use gradiron::prelude::*;
use gradiron::view::{batch, flat};

use crate::golden::{Golden, Outcome, classifier};

model! {
    struct ResNet18 {
        conv1: Conv2d(3 -> 2, kernel = 3, padding = 1, bias = false),
        bn1: BatchNorm2d(2),
        layer1: [BasicBlock<2>; 2],
        #[name = "layer2.0"]
        down2: DownBlock<2, 4>,
        #[name = "layer2.1"]
        block2: BasicBlock<4>,
        #[name = "layer3.0"]
        down3: DownBlock<4, 6>,
        #[name = "layer3.1"]
        block3: BasicBlock<6>,
        #[name = "layer4.0"]
        down4: DownBlock<6, 8>,
        #[name = "layer4.1"]
        block4: BasicBlock<8>,
        fc: Linear(8 -> 5),
    }

    fn forward(&self, image: [n, 3, 16, 16]) -> [n, 5] {
        let x = self.layer1(self.bn1(self.conv1(image)).relu());
        let x = self.block2(self.down2(x));
        let x = self.block3(self.down3(x));
        let x = self.block4(self.down4(x));
        self.fc(x.adaptive_avg_pool2d(1).flatten())
    }

    fn loss(&self, image: [n, 3, 16, 16], label: Classes[n]) -> [] {
        cross_entropy(self.forward(image), label)
    }

    struct BasicBlock<const C: usize> {
        conv1: Conv2d(C -> C, kernel = 3, padding = 1, bias = false),
        bn1: BatchNorm2d(C),
        conv2: Conv2d(C -> C, kernel = 3, padding = 1, bias = false),
        bn2: BatchNorm2d(C),
    }

    fn forward(&self, x: [n, C, h, w]) -> [n, C, h, w] {
        let y = self.bn1(self.conv1(x)).relu();
        (self.bn2(self.conv2(y)) + x).relu()
    }

    /// A block that halves the sides.
    struct DownBlock<const I: usize, const O: usize> {
        conv1: Conv2d(I -> O, kernel = 3, stride = 2, padding = 1, bias = false),
        bn1: BatchNorm2d(O),
        conv2: Conv2d(O -> O, kernel = 3, padding = 1, bias = false),
        bn2: BatchNorm2d(O),
        #[name = "downsample.0"]
        shortcut: Conv2d(I -> O, kernel = 1, stride = 2, bias = false),
        #[name = "downsample.1"]
        norm: BatchNorm2d(O),
    }

    fn forward(&self, x: [n, I, h, w]) -> [n, O, h / 2, w / 2] {
        let y = self.bn1(self.conv1(x)).relu();
        (self.bn2(self.conv2(y)) + self.norm(self.shortcut(x))).relu()
    }
}

classifier!(resnet18, ResNet18, 6);
