//! Llama's blocks: rotary positions, grouped queries, gated units, norms by the root of the mean.

use gradiron::prelude::*;
use gradiron::view::flat;

use crate::golden::{Golden, Outcome};

model! {
    struct Llama {
        token: Embedding(13 -> 16),
        blocks: [Block<16, 4, 2, 20>; 2],
        norm: RMSNorm(16, eps = 1e-5),
        head: Linear(16 -> 13, bias = false),
    }

    fn forward(&self, token: Classes[n, 7]) -> [n, 7, 13] {
        self.head(self.norm(self.blocks(self.token(token))))
    }

    fn loss(&self, token: Classes[n, 7], target: Classes[n, 7]) -> [] {
        cross_entropy(self.forward(token).reshape([7 * n, 13]), target.reshape([7 * n]))
    }

    struct Block<const D: usize, const HEADS: usize, const GROUPS: usize, const HIDDEN: usize> {
        norm1: RMSNorm(D, eps = 1e-5),
        attn: Attention<D, HEADS, GROUPS>,
        norm2: RMSNorm(D, eps = 1e-5),
        gate: Linear(D -> HIDDEN, bias = false),
        up: Linear(D -> HIDDEN, bias = false),
        down: Linear(HIDDEN -> D, bias = false),
    }

    fn forward(&self, x: [n, 7, D]) -> [n, 7, D] {
        let x = x + self.attn(self.norm1(x));
        let y = self.norm2(x);
        x + self.down(self.gate(y).silu() * self.up(y))
    }

    struct Attention<const D: usize, const HEADS: usize, const GROUPS: usize> {
        q_proj: Linear(D -> D, bias = false),
        k_proj: Linear(D -> GROUPS * (D / HEADS), bias = false),
        v_proj: Linear(D -> GROUPS * (D / HEADS), bias = false),
        o_proj: Linear(D -> D, bias = false),
    }

    fn forward(&self, x: [n, 7, D]) -> [n, 7, D] {
        let q = self.q_proj(x).reshape([n, 7, HEADS, D / HEADS]).transpose(1, 2);
        let k = self.k_proj(x).reshape([n, 7, GROUPS, D / HEADS]).transpose(1, 2);
        let v = self.v_proj(x).reshape([n, 7, GROUPS, D / HEADS]).transpose(1, 2);
        let y = scaled_dot_product_attention(q.rotary(), k.rotary(), v, is_causal = true);
        self.o_proj(y.transpose(1, 2).reshape([n, 7, D]))
    }
}

#[test]
fn llama() -> Outcome {
    let mut golden = Golden::open("llama")?;
    let [token, target] = ["token", "target"].map(|name| golden.classes::<7>(name));
    let mut net = golden.load(Llama::init(Seed(0)))?;
    let mut ws = Llama::workspace(3)?;
    golden.compare("out.y", flat(net.forward(&mut ws, &token)?));
    golden.compare("loss", &[net.loss_grad(&mut ws, &token, &target)?]);
    let adam = AdamW::new(&net, 1e-2)?;
    golden.step("loss", &mut net, &ws, adam)
}
