//! A feature pyramid of three levels with one head for all of them.

use gradiron::prelude::*;
use gradiron::view::{batch, flat};

use crate::golden::{Golden, Outcome};

model! {
    struct Fpn {
        conv1: Conv2d(3 -> 4, kernel = 3, stride = 2, padding = 1),
        conv2: Conv2d(4 -> 6, kernel = 3, stride = 2, padding = 1),
        conv3: Conv2d(6 -> 8, kernel = 3, stride = 2, padding = 1),
        lateral1: Conv2d(4 -> 6, kernel = 1),
        lateral2: Conv2d(6 -> 6, kernel = 1),
        lateral3: Conv2d(8 -> 6, kernel = 1),
        smooth1: Conv2d(6 -> 6, kernel = 3, padding = 1),
        smooth2: Conv2d(6 -> 6, kernel = 3, padding = 1),
        tower: Conv2d(6 -> 6, kernel = 3, padding = 1),
        scores: Conv2d(6 -> 5, kernel = 1),
    }

    fn forward(&self, image: [n, 3, 16, 16]) -> [n, 5, 84] {
        let a = self.conv1(image).relu();
        let b = self.conv2(a).relu();
        let c = self.lateral3(self.conv3(b).relu());
        let b = self.lateral2(b) + c.interpolate(2);
        let a = self.lateral1(a) + b.interpolate(2);
        let (a, b) = (self.smooth1(a), self.smooth2(b));
        cat([self.head(a), self.head(b), self.head(c)], dim = 2)
    }

    /// The scores of a level.
    fn head(&self, x: [n, 6, h, w]) -> [n, 5, h * w] {
        self.scores(self.tower(x).relu()).flatten(2)
    }

    fn loss(&self, image: [n, 3, 16, 16], label: Classes[n, 84]) -> [] {
        cross_entropy(self.forward(image), label)
    }
}

#[test]
fn fpn() -> Outcome {
    let mut golden = Golden::open("fpn")?;
    let image = golden.floats("image");
    let label = golden.classes::<84>("label");
    let mut net = golden.load(Fpn::init(Seed(0)))?;
    // `head` is a function by itself, too: of levels up to 8×8.
    let mut ws = Fpn::workspace(2, 8, 8)?;
    golden.compare("out.y", flat(net.forward(&mut ws, batch(&image))?));
    let (loss, d_image) = net.loss_grad_inputs(&mut ws, batch(&image), &label)?;
    golden.compare("loss", &[loss]);
    golden.compare("loss.d.image", flat(d_image));
    let adam = AdamW::new(&net, 1e-2)?;
    golden.step("loss", &mut net, &ws, adam)
}
