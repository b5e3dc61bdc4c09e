//! A U-Net of three resolutions, for images of 16×16 and of 8×8.

use gradiron::prelude::*;

use crate::golden::{Golden, Outcome};

model! {
    struct UNet {
        down1: Double<3, 4>,
        down2: Double<4, 6>,
        middle: Double<6, 8>,
        up2: Double<14, 6>,
        up1: Double<10, 4>,
        head: Conv2d(4 -> 1, kernel = 1),
    }

    fn forward(&self, image: [n, 3, h, w]) -> [n, 1, h, w] {
        let a = self.down1(image);
        let b = self.down2(a.max_pool2d(2));
        let c = self.middle(b.max_pool2d(2));
        let b = self.up2(cat([c.interpolate(2), b], dim = 1));
        let a = self.up1(cat([b.interpolate(2), a], dim = 1));
        self.head(a)
    }

    fn loss(&self, image: [n, 3, h, w], mask: [n, 1, h, w]) -> [] {
        binary_cross_entropy_with_logits(self.forward(image), mask)
    }

    struct Double<const I: usize, const O: usize> {
        conv1: Conv2d(I -> O, kernel = 3, padding = 1),
        conv2: Conv2d(O -> O, kernel = 3, padding = 1),
        norm1: GroupNorm(2, O),
        norm2: GroupNorm(2, O),
    }

    fn forward(&self, x: [n, I, h, w]) -> [n, O, h, w] {
        let x = self.norm1(self.conv1(x)).relu();
        self.norm2(self.conv2(x)).relu()
    }
}

#[test]
fn unet() -> Outcome {
    let mut golden = Golden::open("unet")?;
    let [image, mask] = ["image", "mask"].map(|name| golden.floats(name));
    let mut net = golden.load(UNet::init(Seed(0)))?;
    let mut ws = UNet::workspace(2, 16, 16)?;
    let image = TensorView::new(&image, [2, 3, 16, 16])?;
    let mask = TensorView::new(&mask, [2, 1, 16, 16])?;
    golden.compare("out.y", net.forward(&mut ws, &image)?.as_slice());
    let (loss, d) = net.loss_grad_inputs(&mut ws, &image, &mask)?;
    golden.compare("loss", &[loss]);
    golden.compare("loss.d.image", d.0.as_slice());
    golden.compare("loss.d.mask", d.1.as_slice());
    let adam = AdamW::new(&net, 1e-2)?;
    golden.step("loss", &mut net, &ws, adam)?;

    // Smaller images, in the same workspace.
    let [image, mask] = ["small_image", "small_mask"].map(|name| golden.floats(name));
    let image = TensorView::new(&image, [2, 3, 8, 8])?;
    let mask = TensorView::new(&mask, [2, 1, 8, 8])?;
    let (loss, d) = net.loss_grad_inputs(&mut ws, &image, &mask)?;
    golden.compare("small", &[loss]);
    golden.compare("small.d.small_image", d.0.as_slice());
    golden.compare("small.d.small_mask", d.1.as_slice());
    let adam = AdamW::new(&net, 1e-2)?;
    golden.step("small", &mut net, &ws, adam)
}
