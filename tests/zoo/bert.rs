//! BERT with its masked language model, of texts of any length whose ends are masked.

use gradiron::prelude::*;

use crate::golden::{Golden, Outcome};

model! {
    struct Bert {
        token: Embedding(13 -> 8),
        position: Param([7, 8]),
        segment: Embedding(2 -> 8),
        norm: LayerNorm(8, eps = 1e-12),
        layers: [TransformerEncoderLayer(
            8, 2, dim_feedforward = 32, dropout = 0.0, activation = gelu, layer_norm_eps = 1e-12
        ); 2],
        dense: Linear(8 -> 8),
        norm2: LayerNorm(8, eps = 1e-12),
        bias: Param([13], init = zeros),
    }

    fn forward(&self, token: Classes[n, t], segment: Classes[n, t], seen: [n, t]) -> [n, t, 13] {
        let position = self.position.slice(0, ..t);
        let mut x = self.norm(self.token(token) + self.segment(segment) + position);
        let padding = (seen - 1.0) * 1e9;
        for layer in self.layers {
            x = layer(x, src_key_padding_mask = padding);
        }
        let x = self.norm2(self.dense(x).gelu());
        linear(x, self.token.weight, self.bias)
    }

    fn loss(
        &self,
        token: Classes[n, t],
        segment: Classes[n, t],
        seen: [n, t],
        target: Classes[n, t],
    ) -> [] {
        let y = self.forward(token, segment, seen).log_softmax(-1);
        let losses = -y.gather(2, target.unsqueeze(2)).squeeze(2);
        (losses * seen).sum() / seen.sum()
    }
}

#[test]
fn bert() -> Outcome {
    let mut golden = Golden::open("bert")?;
    let names = ["token", "segment", "target"];
    let [token, segment, target] = names.map(|name| golden.classes::<7>(name));
    let seen = golden.floats("seen");
    let seen = TensorView::new(&seen, [4, 7])?;
    let mut net = golden.load(Bert::init(Seed(0)))?;
    let mut ws = Bert::workspace(4, 7)?;
    golden.compare("out.y", net.forward(&mut ws, &token, &segment, &seen)?.as_slice());
    let (loss, d_seen) = net.loss_grad_inputs(&mut ws, &token, &segment, &seen, &target)?;
    golden.compare("loss", &[loss]);
    golden.compare("loss.d.seen", d_seen.as_slice());
    let adam = AdamW::new(&net, 1e-2)?;
    golden.step("loss", &mut net, &ws, adam)
}
