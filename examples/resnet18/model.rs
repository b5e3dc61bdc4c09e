//! ResNet-18 for images of 32×32.

use gradiron::prelude::*;

model! {
    /// x + f(x)
    pub struct BasicBlock<const C: usize, const SIDE: usize> {
        conv1: Conv2d(C -> C, kernel = 3, padding = 1, bias = false),
        bn1: BatchNorm2d(C),
        conv2: Conv2d(C -> C, kernel = 3, padding = 1, bias = false),
        bn2: BatchNorm2d(C),
    }

    fn forward(&self, x: [batch, C, SIDE, SIDE]) -> [batch, C, SIDE, SIDE] {
        let y = self.bn1(self.conv1(x)).relu();
        (self.bn2(self.conv2(y)) + x).relu()
    }
}

model! {
    /// A block that halves the sides.
    pub struct DownBlock<const IN: usize, const C: usize, const SIDE: usize> {
        conv1: Conv2d(IN -> C, kernel = 3, stride = 2, padding = 1, bias = false),
        bn1: BatchNorm2d(C),
        conv2: Conv2d(C -> C, kernel = 3, padding = 1, bias = false),
        bn2: BatchNorm2d(C),
        downsample: Downsample<IN, C, SIDE>,
    }

    fn forward(&self, x: [batch, IN, 2 * SIDE, 2 * SIDE]) -> [batch, C, SIDE, SIDE] {
        let y = self.bn1(self.conv1(x)).relu();
        let shortcut: [batch, C, SIDE, SIDE] = self.downsample(x);
        (self.bn2(self.conv2(y)) + shortcut).relu()
    }
}

model! {
    pub struct Downsample<const IN: usize, const C: usize, const SIDE: usize> {
        _0: Conv2d(IN -> C, kernel = 1, stride = 2, bias = false),
        _1: BatchNorm2d(C),
    }

    fn forward(&self, x: [batch, IN, 2 * SIDE, 2 * SIDE]) -> [batch, C, SIDE, SIDE] {
        self._1(self._0(x))
    }
}

model! {
    pub struct Stage<const IN: usize, const C: usize, const SIDE: usize> {
        _0: DownBlock<IN, C, SIDE>,
        _1: BasicBlock<C, SIDE>,
    }

    fn forward(&self, x: [batch, IN, 2 * SIDE, 2 * SIDE]) -> [batch, C, SIDE, SIDE] {
        let x: [batch, C, SIDE, SIDE] = self._0(x);
        self._1(x)
    }
}

model! {
    pub struct ResNet18 {
        conv1: Conv2d(3 -> 64, kernel = 3, padding = 1, bias = false),
        bn1: BatchNorm2d(64),
        layer1: [BasicBlock<64, 32>; 2],
        layer2: Stage<64, 128, 16>,
        layer3: Stage<128, 256, 8>,
        layer4: Stage<256, 512, 4>,
        fc: Linear(512 -> 10),
    }

    fn forward(&self, image: [batch, 3, 32, 32]) -> [batch, 10] {
        let x = self.layer1(self.bn1(self.conv1(image)).relu());
        let x: [batch, 128, 16, 16] = self.layer2(x);
        let x: [batch, 256, 8, 8] = self.layer3(x);
        let x: [batch, 512, 4, 4] = self.layer4(x);
        self.fc(x.adaptive_avg_pool2d(1).flatten())
    }

    fn loss(&self, image: [batch, 3, 32, 32], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(image), label)
    }
}
