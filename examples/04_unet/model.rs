//! A U-Net of three resolutions.

use gradiron::prelude::*;

model! {
    /// Three resolutions down, three up again, each with what was there on the way down.
    pub struct UNet {
        down1: Block<3, 16>,
        down2: Block<16, 32>,
        down3: Block<32, 64>,
        middle: Block<64, 128>,
        up3: ConvTranspose2d(128 -> 64, kernel = 2, stride = 2),
        merge3: Block<128, 64>,
        up2: ConvTranspose2d(64 -> 32, kernel = 2, stride = 2),
        merge2: Block<64, 32>,
        up1: ConvTranspose2d(32 -> 16, kernel = 2, stride = 2),
        merge1: Block<32, 16>,
        out: Conv2d(16 -> 1, kernel = 1),
    }

    fn forward(&self, image: [batch, 3, h, w]) -> [batch, 1, h, w] {
        let fine = self.down1(image);
        let half = self.down2(fine.max_pool2d(2));
        let quarter = self.down3(half.max_pool2d(2));
        let x = self.middle(quarter.max_pool2d(2));
        let x = self.merge3(cat([quarter, self.up3(x)], 1));
        let x = self.merge2(cat([half, self.up2(x)], 1));
        let x = self.merge1(cat([fine, self.up1(x)], 1));
        self.out(x)
    }

    fn loss(&self, image: [batch, 3, h, w], mask: [batch, 1, h, w]) -> [] {
        binary_cross_entropy_with_logits(self.forward(image), mask)
    }

    /// Twice a convolution, batch normalisation and an activation.
    pub struct Block<const I: usize, const O: usize> {
        conv1: Conv2d(I -> O, kernel = 3, padding = 1, bias = false),
        bn1: BatchNorm2d(O),
        conv2: Conv2d(O -> O, kernel = 3, padding = 1, bias = false),
        bn2: BatchNorm2d(O),
    }

    fn forward(&self, x: [batch, I, h, w]) -> [batch, O, h, w] {
        let x = self.bn1(self.conv1(x)).relu();
        self.bn2(self.conv2(x)).relu()
    }
}
