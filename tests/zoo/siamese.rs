//! Three images through one tower, and the triplet loss of what comes out.

use gradiron::prelude::*;
use gradiron::view::{batch, flat};

use crate::golden::{Golden, Outcome};

model! {
    struct Siamese {
        tower: Tower,
    }

    fn forward(&self, a: [n, 1, 8, 8], b: [n, 1, 8, 8]) -> [n] {
        (self.tower(a) * self.tower(b)).sum(dim = 1)
    }

    fn loss(
        &self,
        anchor: [n, 1, 8, 8],
        positive: [n, 1, 8, 8],
        negative: [n, 1, 8, 8],
    ) -> [] {
        let (a, p, n) = (self.tower(anchor), self.tower(positive), self.tower(negative));
        triplet_margin_loss(a, p, n, margin = 0.5)
    }

    struct Tower {
        conv1: Conv2d(1 -> 4, kernel = 3, padding = 1),
        conv2: Conv2d(4 -> 8, kernel = 3, padding = 1),
        fc: Linear(32 -> 6),
    }

    fn forward(&self, x: [n, 1, 8, 8]) -> [n, 6] {
        let x = self.conv1(x).relu().max_pool2d(2);
        let x = self.conv2(x).relu().max_pool2d(2);
        let x = self.fc(x.flatten());
        x / x.square().sum(dim = 1, keepdim = true).sqrt()
    }
}

#[test]
fn siamese() -> Outcome {
    let mut golden = Golden::open("siamese")?;
    let names = ["anchor", "positive", "negative"];
    let [anchor, positive, negative] = names.map(|name| golden.floats(name));
    let (anchor, positive, negative) = (batch(&anchor), batch(&positive), batch(&negative));
    let mut net = golden.load(Siamese::init(Seed(0)))?;
    let mut ws = Siamese::workspace(4)?;
    golden.compare("out.y", net.forward(&mut ws, anchor, positive)?);
    let (loss, d) = net.loss_grad_inputs(&mut ws, anchor, positive, negative)?;
    golden.compare("loss", &[loss]);
    golden.compare("loss.d.anchor", flat(d.0));
    golden.compare("loss.d.positive", flat(d.1));
    golden.compare("loss.d.negative", flat(d.2));
    let adam = AdamW::new(&net, 1e-2)?;
    golden.step("loss", &mut net, &ws, adam)
}
