//! A recurrent network that writes text, letter by letter.

use gradiron::prelude::*;
use gradiron::view::flat;

use crate::golden::{Golden, Outcome};

model! {
    struct CharRnn {
        token: Embedding(11 -> 6),
        lstm: LSTM(6 -> 8, num_layers = 2),
        head: Linear(8 -> 11),
    }

    #[step(12)]
    fn forward(&self, token: Classes[n, 12]) -> [n, 12, 11] {
        let (y, _h, _c) = self.lstm(self.token(token));
        self.head(y)
    }

    fn loss(&self, token: Classes[n, 12], target: Classes[n, 12]) -> [] {
        cross_entropy(self.forward(token).reshape([12 * n, 11]), target.reshape([12 * n]))
    }
}

#[test]
fn char_rnn() -> Outcome {
    let mut golden = Golden::open("char_rnn")?;
    let [token, target] = ["token", "target"].map(|name| golden.classes::<12>(name));
    let mut net = golden.load(CharRnn::init(Seed(0)))?;
    let mut ws = CharRnn::workspace(3)?;
    golden.compare("out.y", flat(net.forward(&mut ws, &token)?));
    assert!(net.forward_step_check(&mut ws, Seed(1))?.difference < 1e-5);
    golden.compare("loss", &[net.loss_grad(&mut ws, &token, &target)?]);
    let adam = AdamW::new(&net, 1e-2)?;
    golden.step("loss", &mut net, &ws, adam)
}
