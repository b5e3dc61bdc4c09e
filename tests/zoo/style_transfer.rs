//! An image that learns: the content of one, the style of another, as a fixed VGG sees them.

use gradiron::prelude::*;
use gradiron::view::{array, flat};

use crate::golden::{Golden, Outcome};

model! {
    struct StyleTransfer {
        #[frozen]
        vgg: Vgg,
        image: Param([1, 3, 8, 8]),
    }

    fn loss(&self, content: [1, 3, 8, 8], style: [1, 3, 8, 8]) -> [] {
        let (a, b, c) = self.vgg(self.image);
        let (_a, _b, seen) = self.vgg(content);
        let (style_a, style_b, _c) = self.vgg(style);
        let loss = mse_loss(c, seen);
        let loss = loss + 100.0 * mse_loss(self.gram(a), self.gram(style_a));
        loss + 100.0 * mse_loss(self.gram(b), self.gram(style_b))
    }

    fn gram(&self, x: [1, 6, 8, 8]) -> [1, 6, 6] {
        let x = x.flatten(2);
        x.matmul(x.transpose(1, 2)) / (6.0 * 64.0)
    }

    struct Vgg {
        conv1: Conv2d(3 -> 6, kernel = 3, padding = 1),
        conv2: Conv2d(6 -> 6, kernel = 3, padding = 1),
        conv3: Conv2d(6 -> 8, kernel = 3, padding = 1),
    }

    fn forward(&self, x: [n, 3, 8, 8]) -> ([n, 6, 8, 8], [n, 6, 8, 8], [n, 8, 4, 4]) {
        let a = self.conv1(x).relu();
        let b = self.conv2(a).relu();
        (a, b, self.conv3(b.max_pool2d(2)).relu())
    }
}

#[test]
fn style_transfer() -> Outcome {
    let mut golden = Golden::open("style_transfer")?;
    let [content, style] = ["content", "style"].map(|name| golden.floats(name));
    let (content, style) = (array(&content), array(&style));
    let mut net = golden.load(StyleTransfer::init(Seed(0)))?;
    let mut ws = StyleTransfer::workspace()?;
    let (loss, (d_content, d_style)) = net.loss_grad_inputs(&mut ws, content, style)?;
    golden.compare("loss", &[loss]);
    golden.compare("loss.d.content", flat(d_content));
    golden.compare("loss.d.style", flat(d_style));
    let adam = AdamW::new(&net, 1e-2)?;
    golden.step("loss", &mut net, &ws, adam)
}
