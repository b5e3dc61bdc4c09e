//! A U-Net of three resolutions.

use gradiron::prelude::*;

model! {
    /// Twice a convolution, batch normalisation and an activation.
    pub struct Block<const I: usize, const O: usize, const S: usize> {
        conv1: Conv2d(I -> O, kernel = 3, padding = 1, bias = false),
        bn1: BatchNorm2d(O),
        conv2: Conv2d(O -> O, kernel = 3, padding = 1, bias = false),
        bn2: BatchNorm2d(O),
    }

    fn forward(&self, x: [batch, I, S, S]) -> [batch, O, S, S] {
        let x = self.bn1(self.conv1(x)).relu();
        self.bn2(self.conv2(x)).relu()
    }
}

model! {
    /// Three resolutions down, three up again, each with what was there on the way down.
    pub struct UNet {
        down1: Block<3, 16, 64>,
        down2: Block<16, 32, 32>,
        down3: Block<32, 64, 16>,
        middle: Block<64, 128, 8>,
        up3: ConvTranspose2d(128 -> 64, kernel = 2, stride = 2),
        merge3: Block<128, 64, 16>,
        up2: ConvTranspose2d(64 -> 32, kernel = 2, stride = 2),
        merge2: Block<64, 32, 32>,
        up1: ConvTranspose2d(32 -> 16, kernel = 2, stride = 2),
        merge1: Block<32, 16, 64>,
        out: Conv2d(16 -> 1, kernel = 1),
    }

    fn forward(&self, image: [batch, 3, 64, 64]) -> [batch, 1, 64, 64] {
        let fine: [batch, 16, 64, 64] = self.down1(image);
        let half: [batch, 32, 32, 32] = self.down2(fine.max_pool2d(2));
        let quarter: [batch, 64, 16, 16] = self.down3(half.max_pool2d(2));
        let x: [batch, 128, 8, 8] = self.middle(quarter.max_pool2d(2));
        let x: [batch, 64, 16, 16] = self.merge3(cat([quarter, self.up3(x)], 1));
        let x: [batch, 32, 32, 32] = self.merge2(cat([half, self.up2(x)], 1));
        let x: [batch, 16, 64, 64] = self.merge1(cat([fine, self.up1(x)], 1));
        self.out(x)
    }

    fn loss(&self, image: [batch, 3, 64, 64], mask: [batch, 1, 64, 64]) -> [] {
        binary_cross_entropy_with_logits(self.forward(image), mask)
    }
}
