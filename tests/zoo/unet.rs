//! A U-Net of three resolutions, for images of 16×16 and of 8×8.

use gradiron::prelude::*;
use gradiron::view::{batch, flat};

use crate::golden::{Golden, Outcome};

model! {
    /// `Q` is the side at the bottom.
    struct UNet<const Q: usize> {
        down1: Double<3, 4, 4, Q>,
        down2: Double<4, 6, 2, Q>,
        middle: Double<6, 8, 1, Q>,
        up2: Double<14, 6, 2, Q>,
        up1: Double<10, 4, 4, Q>,
        head: Conv2d(4 -> 1, kernel = 1),
    }

    fn forward(&self, image: [n, 3, 4 * Q, 4 * Q]) -> [n, 1, 4 * Q, 4 * Q] {
        let a = self.down1(image);
        let b = self.down2(a.max_pool2d(2));
        let c = self.middle(b.max_pool2d(2));
        let b = self.up2(cat([c.interpolate(2), b], dim = 1));
        let a = self.up1(cat([b.interpolate(2), a], dim = 1));
        self.head(a)
    }

    fn loss(&self, image: [n, 3, 4 * Q, 4 * Q], mask: [n, 1, 4 * Q, 4 * Q]) -> [] {
        binary_cross_entropy_with_logits(self.forward(image), mask)
    }

    /// For images whose side is `F` times `Q`.
    struct Double<const I: usize, const O: usize, const F: usize, const Q: usize> {
        conv1: Conv2d(I -> O, kernel = 3, padding = 1),
        conv2: Conv2d(O -> O, kernel = 3, padding = 1),
        norm1: GroupNorm(2, O),
        norm2: GroupNorm(2, O),
    }

    fn forward(&self, x: [n, I, F * Q, F * Q]) -> [n, O, F * Q, F * Q] {
        let x = self.norm1(self.conv1(x)).relu();
        self.norm2(self.conv2(x)).relu()
    }
}

#[test]
fn unet() -> Outcome {
    let mut golden = Golden::open("unet")?;
    let [image, mask] = ["image", "mask"].map(|name| golden.floats(name));
    let mut net = golden.load(UNet::<4>::init(Seed(0)))?;
    let mut ws = UNet::<4>::workspace(2)?;
    golden.compare("out.y", flat(net.forward(&mut ws, batch(&image))?));
    let (loss, d) = net.loss_grad_inputs(&mut ws, batch(&image), batch(&mask))?;
    golden.compare("loss", &[loss]);
    golden.compare("loss.d.image", flat(d.0));
    golden.compare("loss.d.mask", flat(d.1));
    let adam = AdamW::new(&net, 1e-2)?;
    golden.step("loss", &mut net, &ws, adam)?;

    let [image, mask] = ["small_image", "small_mask"].map(|name| golden.floats(name));
    let mut small = UNet::<2>::init(Seed(0));
    small.copy_from(&net)?;
    let mut ws = UNet::<2>::workspace(2)?;
    let (loss, d) = small.loss_grad_inputs(&mut ws, batch(&image), batch(&mask))?;
    golden.compare("small", &[loss]);
    golden.compare("small.d.small_image", flat(d.0));
    golden.compare("small.d.small_mask", flat(d.1));
    let adam = AdamW::new(&small, 1e-2)?;
    golden.step("small", &mut small, &ws, adam)
}
