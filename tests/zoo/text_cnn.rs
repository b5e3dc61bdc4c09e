//! Convolutions over two, three and four words, the largest of each, and a classifier.

use gradiron::prelude::*;
use gradiron::view::flat;

use crate::golden::{Golden, Outcome};

model! {
    struct TextCnn {
        token: Embedding(20 -> 6),
        #[name = "convs.0"]
        two: Conv2d(1 -> 5, kernel = (2, 6)),
        #[name = "convs.1"]
        three: Conv2d(1 -> 5, kernel = (3, 6)),
        #[name = "convs.2"]
        four: Conv2d(1 -> 5, kernel = (4, 6)),
        fc: Linear(15 -> 3),
    }

    fn forward(&self, token: Classes[n, 9]) -> [n, 3] {
        let x = self.token(token).unsqueeze(1);
        let two = self.two(x).relu().amax(dim = [2, 3]);
        let three = self.three(x).relu().amax(dim = [2, 3]);
        let four = self.four(x).relu().amax(dim = [2, 3]);
        self.fc(cat([two, three, four], dim = 1))
    }

    fn loss(&self, token: Classes[n, 9], label: Classes[n]) -> [] {
        cross_entropy(self.forward(token), label)
    }
}

#[test]
fn text_cnn() -> Outcome {
    let mut golden = Golden::open("text_cnn")?;
    let token = golden.classes::<9>("token");
    let label = golden.classes::<1>("label").concat();
    let mut net = golden.load(TextCnn::init(Seed(0)))?;
    let mut ws = TextCnn::workspace(4)?;
    golden.compare("out.y", flat(net.forward(&mut ws, &token)?));
    golden.compare("loss", &[net.loss_grad(&mut ws, &token, &label)?]);
    let adam = AdamW::new(&net, 1e-2)?;
    golden.step("loss", &mut net, &ws, adam)
}
