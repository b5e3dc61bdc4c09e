//! A small BERT with PyTorch's parameters: its embeddings of sentences of several lengths, and the
//! gradients of all parameters (`parity bert`).

use gradiron::module::Model as _;
use gradiron::prelude::*;
use gradiron::view::{batch, flat};
use safetensors::SafeTensors;

use crate::sequence::{assert_close, file, floats};

model! {
    struct Layer {
        #[name = "attention.self.query"]
        query: Linear(12 -> 12),
        #[name = "attention.self.key"]
        key: Linear(12 -> 12),
        #[name = "attention.self.value"]
        value: Linear(12 -> 12),
        #[name = "attention.output.dense"]
        out: Linear(12 -> 12),
        #[name = "attention.output.LayerNorm"]
        ln_1: LayerNorm(12, eps = 1e-12),
        #[name = "intermediate.dense"]
        up: Linear(12 -> 48),
        #[name = "output.dense"]
        down: Linear(48 -> 12),
        #[name = "output.LayerNorm"]
        ln_2: LayerNorm(12, eps = 1e-12),
    }

    fn forward(&self, x: [batch, 7, 12], hidden: [batch, 1, 1, 7]) -> [batch, 7, 12] {
        let q = self.query(x).reshape([batch, 7, 3, 4]).transpose(1, 2);
        let k = self.key(x).reshape([batch, 7, 3, 4]).transpose(1, 2);
        let v = self.value(x).reshape([batch, 7, 3, 4]).transpose(1, 2);
        let y = scaled_dot_product_attention(q, k, v, attn_mask = hidden);
        let x = self.ln_1(x + self.out(y.transpose(1, 2).reshape([batch, 7, 12])));
        self.ln_2(x + self.down(self.up(x).gelu()))
    }
}

model! {
    struct Bert {
        #[name = "embeddings.word_embeddings"]
        word: Embedding(19 -> 12),
        #[name = "embeddings.position_embeddings.weight"]
        position: Param([9, 12]),
        #[name = "embeddings.token_type_embeddings.weight"]
        token_type: Param([2, 12]),
        #[name = "embeddings.LayerNorm"]
        ln: LayerNorm(12, eps = 1e-12),
        #[name = "encoder.layer"]
        layers: [Layer; 2],
    }

    fn forward(&self, token: Classes[batch, 7], mask: [batch, 7]) -> [batch, 12] {
        let x = self.word(token) + self.token_type.narrow(0, 0, 1);
        let x = self.ln(x + self.position.narrow(0, 0, 7));
        let x = self.layers(x, (mask - 1.0).reshape([batch, 1, 1, 7]) * 1e9);
        let mask = mask.unsqueeze(2);
        let mean = (x * mask).sum(dim = 1) / mask.sum(dim = 1);
        mean / mean.square().sum(dim = 1, keepdim = true).sqrt()
    }
}

#[test]
fn embeddings_of_sentences() -> Result<(), Box<dyn std::error::Error>> {
    let bytes = std::fs::read(file("bert-run.safetensors"))?;
    let run = SafeTensors::deserialize(&bytes)?;
    let token: Vec<[u8; 7]> = run.tensor("token")?.data().as_chunks().0.to_vec();
    let [mask, d_y] = ["mask", "d_y"].map(|name| floats(&run, name));
    let mut net = Bert::init(Seed(0));
    net.load(file("bert.safetensors"))?;
    let mut ws = Bert::workspace(4)?;
    let y = net.forward(&mut ws, &token, batch(&mask))?;
    assert_close("y in inference", flat(y), &floats(&run, "y"));
    ws.poison();
    let y = net.forward_grad(&mut ws, &token, batch(&mask), batch(&d_y))?;
    assert_close("y", flat(y), &floats(&run, "y"));
    for spec in Bert::param_specs() {
        let gradient = &ws.grads().as_slice()[spec.start..][..spec.len()];
        assert_close(&spec.name, gradient, &floats(&run, &format!("grad.{}", spec.name)));
    }
    Ok(())
}
