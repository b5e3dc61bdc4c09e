//! ResNet-50 for images of 224×224, with the strides of its 3×3 convolutions (as torchvision's).

use gradiron::prelude::*;

model! {
    /// x + f(x)
    pub struct Bottleneck<const C: usize, const MID: usize, const SIDE: usize> {
        conv1: Conv2d(C -> MID, kernel = 1, bias = false),
        bn1: BatchNorm2d(MID),
        conv2: Conv2d(MID -> MID, kernel = 3, padding = 1, bias = false),
        bn2: BatchNorm2d(MID),
        conv3: Conv2d(MID -> C, kernel = 1, bias = false),
        bn3: BatchNorm2d(C),
    }

    fn forward(&self, x: [batch, C, SIDE, SIDE]) -> [batch, C, SIDE, SIDE] {
        let y = self.bn1(self.conv1(x)).relu();
        let y = self.bn2(self.conv2(y)).relu();
        (self.bn3(self.conv3(y)) + x).relu()
    }
}

model! {
    /// A block to `C` channels, on sides that are shorter by `STRIDE`.
    pub struct First<
        const IN: usize,
        const MID: usize,
        const C: usize,
        const SIDE: usize,
        const STRIDE: usize,
    > {
        conv1: Conv2d(IN -> MID, kernel = 1, bias = false),
        bn1: BatchNorm2d(MID),
        conv2: Conv2d(MID -> MID, kernel = 3, stride = STRIDE, padding = 1, bias = false),
        bn2: BatchNorm2d(MID),
        conv3: Conv2d(MID -> C, kernel = 1, bias = false),
        bn3: BatchNorm2d(C),
        downsample: Conv2d(IN -> C, kernel = 1, stride = STRIDE, bias = false),
        downsample_bn: BatchNorm2d(C),
    }

    fn forward(&self, x: [batch, IN, STRIDE * SIDE, STRIDE * SIDE]) -> [batch, C, SIDE, SIDE] {
        let y = self.bn1(self.conv1(x)).relu();
        let y = self.bn2(self.conv2(y)).relu();
        let y: [batch, C, SIDE, SIDE] = self.bn3(self.conv3(y));
        (y + self.downsample_bn(self.downsample(x))).relu()
    }
}

model! {
    pub struct ResNet50 {
        conv1: Conv2d(3 -> 64, kernel = 7, stride = 2, padding = 3, bias = false),
        bn1: BatchNorm2d(64),
        first1: First<64, 64, 256, 56, 1>,
        layer1: [Bottleneck<256, 64, 56>; 2],
        first2: First<256, 128, 512, 28, 2>,
        layer2: [Bottleneck<512, 128, 28>; 3],
        first3: First<512, 256, 1024, 14, 2>,
        layer3: [Bottleneck<1024, 256, 14>; 5],
        first4: First<1024, 512, 2048, 7, 2>,
        layer4: [Bottleneck<2048, 512, 7>; 2],
        fc: Linear(2048 -> 1000),
    }

    fn forward(&self, image: [batch, 3, 224, 224]) -> [batch, 1000] {
        let x = self.bn1(self.conv1(image)).relu().max_pool2d(3, stride = 2, padding = 1);
        let x: [batch, 256, 56, 56] = self.first1(x);
        let x = self.layer1(x);
        let x: [batch, 512, 28, 28] = self.first2(x);
        let x = self.layer2(x);
        let x: [batch, 1024, 14, 14] = self.first3(x);
        let x = self.layer3(x);
        let x: [batch, 2048, 7, 7] = self.first4(x);
        let x = self.layer4(x);
        self.fc(x.adaptive_avg_pool2d(1).flatten())
    }

    fn loss(&self, image: [batch, 3, 224, 224], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(image), label)
    }
}
