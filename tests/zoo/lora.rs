//! Adapters of low rank in the attention of a small GPT-2 that is held fixed.

use gradiron::prelude::*;
use gradiron::view::flat;

use crate::golden::{Golden, Outcome};

model! {
    struct LoraGpt2 {
        #[frozen]
        wte: Embedding(13 -> 12),
        #[frozen]
        wpe: Param([8, 12]),
        h: [Block<12, 36, 3>; 2],
        #[frozen]
        ln_f: LayerNorm(12),
    }

    fn forward(&self, token: Classes[n, 8]) -> [n, 8, 13] {
        let x = self.h(self.wte(token) + self.wpe);
        linear(self.ln_f(x), self.wte.weight)
    }

    fn loss(&self, token: Classes[n, 8], target: Classes[n, 8]) -> [] {
        cross_entropy(self.forward(token).reshape([8 * n, 13]), target.reshape([8 * n]))
    }

    struct Block<const D: usize, const QKV: usize, const HEADS: usize> {
        #[frozen]
        ln_1: LayerNorm(D),
        c_attn: Lora<D, QKV, 2>,
        c_proj: Lora<D, D, 2>,
        #[frozen]
        ln_2: LayerNorm(D),
        #[frozen]
        up: Linear(D -> 4 * D),
        #[frozen]
        down: Linear(4 * D -> D),
    }

    fn forward(&self, x: [n, 8, D]) -> [n, 8, D] {
        let qkv = self.c_attn(self.ln_1(x)).reshape([n, 8, 3, HEADS, D / HEADS]);
        let qkv = qkv.permute([2, 0, 3, 1, 4]);
        let (q, k, v) = (qkv.select(0, 0), qkv.select(0, 1), qkv.select(0, 2));
        let y = scaled_dot_product_attention(q, k, v, is_causal = true);
        let x = x + self.c_proj(y.transpose(1, 2).reshape([n, 8, D]));
        x + self.down(self.up(self.ln_2(x)).gelu_tanh())
    }

    struct Lora<const I: usize, const O: usize, const RANK: usize> {
        #[frozen]
        base: Linear(I -> O),
        a: Param([RANK, I]),
        b: Param([O, RANK]),
    }

    fn forward(&self, x: [n, 8, I]) -> [n, 8, O] {
        linear(x, self.base.weight + self.b.matmul(self.a) * 0.5, self.base.bias)
    }
}

#[test]
fn lora() -> Outcome {
    let mut golden = Golden::open("lora")?;
    let [token, target] = ["token", "target"].map(|name| golden.classes::<8>(name));
    let mut net = golden.load(LoraGpt2::init(Seed(0)))?;
    let mut ws = LoraGpt2::workspace(3)?;
    golden.compare("out.y", flat(net.forward(&mut ws, &token)?));
    golden.compare("loss", &[net.loss_grad(&mut ws, &token, &target)?]);
    let adam = AdamW::new(&net, 1e-2)?;
    golden.step("loss", &mut net, &ws, adam)
}
