//! ResNet-18 for images of 32×32.

use gradiron::prelude::*;

model! {
    pub struct ResNet18 {
        conv1: Conv2d(3 -> 64, kernel = 3, padding = 1, bias = false),
        bn1: BatchNorm2d(64),
        layer1: [BasicBlock<64>; 2],
        layer2: Stage<64, 128>,
        layer3: Stage<128, 256>,
        layer4: Stage<256, 512>,
        fc: Linear(512 -> 10),
    }

    fn forward(&self, image: [batch, 3, 32, 32]) -> [batch, 10] {
        let x = self.layer1(self.bn1(self.conv1(image)).relu());
        let x = self.layer4(self.layer3(self.layer2(x)));
        self.fc(x.adaptive_avg_pool2d(1).flatten())
    }

    fn loss(&self, image: [batch, 3, 32, 32], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(image), label)
    }

    pub struct Stage<const IN: usize, const C: usize> {
        _0: DownBlock<IN, C>,
        _1: BasicBlock<C>,
    }

    fn forward(&self, x: [batch, IN, h, w]) -> [batch, C, h / 2, w / 2] {
        self._1(self._0(x))
    }

    /// x + f(x)
    pub struct BasicBlock<const C: usize> {
        conv1: Conv2d(C -> C, kernel = 3, padding = 1, bias = false),
        bn1: BatchNorm2d(C),
        conv2: Conv2d(C -> C, kernel = 3, padding = 1, bias = false),
        bn2: BatchNorm2d(C),
    }

    fn forward(&self, x: [batch, C, h, w]) -> [batch, C, h, w] {
        let y = self.bn1(self.conv1(x)).relu();
        (self.bn2(self.conv2(y)) + x).relu()
    }

    /// A block that halves the sides.
    pub struct DownBlock<const IN: usize, const C: usize> {
        conv1: Conv2d(IN -> C, kernel = 3, stride = 2, padding = 1, bias = false),
        bn1: BatchNorm2d(C),
        conv2: Conv2d(C -> C, kernel = 3, padding = 1, bias = false),
        bn2: BatchNorm2d(C),
        downsample: Downsample<IN, C>,
    }

    fn forward(&self, x: [batch, IN, h, w]) -> [batch, C, h / 2, w / 2] {
        let y = self.bn1(self.conv1(x)).relu();
        (self.bn2(self.conv2(y)) + self.downsample(x)).relu()
    }

    pub struct Downsample<const IN: usize, const C: usize> {
        _0: Conv2d(IN -> C, kernel = 1, stride = 2, bias = false),
        _1: BatchNorm2d(C),
    }

    fn forward(&self, x: [batch, IN, h, w]) -> [batch, C, h / 2, w / 2] {
        self._1(self._0(x))
    }
}
