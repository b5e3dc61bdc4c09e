//! GPT-2, whose last layer has the weight of the first.

use gradiron::prelude::*;
use gradiron::view::flat;

use crate::golden::{Golden, Outcome};

model! {
    struct Gpt2 {
        wte: Embedding(13 -> 12),
        wpe: Param([8, 12]),
        h: [Block<12, 3>; 2],
        ln_f: LayerNorm(12),
    }

    fn forward(&self, token: Classes[n, 8]) -> [n, 8, 13] {
        let x = self.h(self.wte(token) + self.wpe);
        linear(self.ln_f(x), self.wte.weight)
    }

    fn loss(&self, token: Classes[n, 8], target: Classes[n, 8]) -> [] {
        cross_entropy(self.forward(token).reshape([8 * n, 13]), target.reshape([8 * n]))
    }

    struct Block<const D: usize, const HEADS: usize> {
        ln_1: LayerNorm(D),
        attn: Attention<D, HEADS>,
        ln_2: LayerNorm(D),
        mlp: Mlp<D>,
    }

    fn forward(&self, x: [n, 8, D]) -> [n, 8, D] {
        let x = x + self.attn(self.ln_1(x));
        x + self.mlp(self.ln_2(x))
    }

    struct Attention<const D: usize, const HEADS: usize> {
        c_attn: Linear(D -> 3 * D),
        c_proj: Linear(D -> D),
    }

    fn forward(&self, x: [n, 8, D]) -> [n, 8, D] {
        let qkv = self.c_attn(x).reshape([n, 8, 3, HEADS, D / HEADS]).permute([2, 0, 3, 1, 4]);
        let (q, k, v) = (qkv.select(0, 0), qkv.select(0, 1), qkv.select(0, 2));
        let y = scaled_dot_product_attention(q, k, v, is_causal = true);
        self.c_proj(y.transpose(1, 2).reshape([n, 8, D]))
    }

    struct Mlp<const D: usize> {
        c_fc: Linear(D -> 4 * D),
        c_proj: Linear(4 * D -> D),
    }

    fn forward(&self, x: [n, 8, D]) -> [n, 8, D] {
        self.c_proj(self.c_fc(x).gelu_tanh())
    }
}

#[test]
fn gpt2() -> Outcome {
    let mut golden = Golden::open("gpt2")?;
    let [token, target] = ["token", "target"].map(|name| golden.classes::<8>(name));
    let mut net = golden.load(Gpt2::init(Seed(0)))?;
    let mut ws = Gpt2::workspace(3)?;
    golden.compare("out.y", flat(net.forward(&mut ws, &token)?));
    golden.compare("loss", &[net.loss_grad(&mut ws, &token, &target)?]);
    let adam = AdamW::new(&net, 1e-2)?;
    golden.step("loss", &mut net, &ws, adam)
}
