//! T5: an encoder and a decoder whose positions are biases of distances, shared by all layers.

use gradiron::prelude::*;
use gradiron::view::flat;

use crate::golden::{Golden, Outcome};

/// From place `row` to place `column`.
const fn distances<const N: usize>() -> [[i32; N]; N] {
    let (mut made, mut at) = ([[0; N]; N], 0);
    while at < N * N {
        made[at / N][at % N] = (at % N) as i32 - (at / N) as i32;
        at += 1;
    }
    made
}

/// Small buckets: the sign and up to two places.
const fn near() -> [[i32; 7]; 7] {
    let (mut made, mut at) = (distances(), 0);
    while at < 49 {
        let far: i32 = made[at / 7][at % 7];
        made[at / 7][at % 7] = if far < -2 {
            0
        } else if far > 2 {
            4
        } else {
            far + 2
        };
        at += 1;
    }
    made
}

/// Up to five places back, and what is not seen.
const fn back() -> ([[i32; 5]; 5], [[f32; 5]; 5]) {
    let (mut before, mut causal, mut at) = (distances(), [[0.0; 5]; 5], 0);
    while at < 25 {
        let far: i32 = before[at / 5][at % 5];
        before[at / 5][at % 5] = if far > 0 { 0 } else { -far };
        causal[at / 5][at % 5] = if far > 0 { -1e9 } else { 0.0 };
        at += 1;
    }
    (before, causal)
}

model! {
    const NEAR: [[i32; 7]; 7] = near();
    const BEFORE: [[i32; 5]; 5] = back().0;
    const CAUSAL: [[f32; 5]; 5] = back().1;

    struct T5 {
        token: Embedding(13 -> 8),
        near: Embedding(6 -> 2),
        before: Embedding(6 -> 2),
        encoder: [EncoderBlock<8, 2>; 2],
        norm1: RMSNorm(8, eps = 1e-6),
        decoder: [DecoderBlock<8, 2>; 2],
        norm2: RMSNorm(8, eps = 1e-6),
    }

    fn forward(&self, source: Classes[n, 7], target: Classes[n, 5]) -> [n, 5, 13] {
        let bias = self.near(NEAR).permute([2, 0, 1]);
        let memory = self.norm1(self.encoder(self.token(source), bias));
        let bias = self.before(BEFORE).permute([2, 0, 1]) + CAUSAL;
        let x = self.norm2(self.decoder(self.token(target), memory, bias));
        linear(x / (8 as f32).sqrt(), self.token.weight)
    }

    fn loss(&self, source: Classes[n, 7], target: Classes[n, 5], following: Classes[n, 5]) -> [] {
        let y = self.forward(source, target);
        cross_entropy(y.reshape([5 * n, 13]), following.reshape([5 * n]))
    }

    struct EncoderBlock<const D: usize, const HEADS: usize> {
        norm: RMSNorm(D, eps = 1e-6),
        attn: Attention<D, HEADS>,
        ff: FeedForward<D>,
    }

    fn forward(&self, x: [n, t, D], bias: [HEADS, t, t]) -> [n, t, D] {
        let y = self.norm(x);
        self.ff(x + self.attn.masked(y, y, bias))
    }

    struct DecoderBlock<const D: usize, const HEADS: usize> {
        norm1: RMSNorm(D, eps = 1e-6),
        attn: Attention<D, HEADS>,
        norm2: RMSNorm(D, eps = 1e-6),
        cross: Attention<D, HEADS>,
        ff: FeedForward<D>,
    }

    fn forward(&self, x: [n, t, D], memory: [n, s, D], bias: [HEADS, t, t]) -> [n, t, D] {
        let y = self.norm1(x);
        let x = x + self.attn.masked(y, y, bias);
        self.ff(x + self.cross(self.norm2(x), memory))
    }

    struct Attention<const D: usize, const HEADS: usize> {
        q: Linear(D -> D, bias = false),
        k: Linear(D -> D, bias = false),
        v: Linear(D -> D, bias = false),
        o: Linear(D -> D, bias = false),
    }

    fn forward(&self, x: [n, t, D], memory: [n, s, D]) -> [n, t, D] {
        let q = self.q(x).reshape([n, t, HEADS, D / HEADS]).transpose(1, 2);
        let k = self.k(memory).reshape([n, s, HEADS, D / HEADS]).transpose(1, 2);
        let v = self.v(memory).reshape([n, s, HEADS, D / HEADS]).transpose(1, 2);
        let y = scaled_dot_product_attention(q, k, v, scale = 1.0);
        self.o(y.transpose(1, 2).flatten(2))
    }

    fn masked(&self, x: [n, t, D], memory: [n, s, D], mask: [HEADS, t, s]) -> [n, t, D] {
        let q = self.q(x).reshape([n, t, HEADS, D / HEADS]).transpose(1, 2);
        let k = self.k(memory).reshape([n, s, HEADS, D / HEADS]).transpose(1, 2);
        let v = self.v(memory).reshape([n, s, HEADS, D / HEADS]).transpose(1, 2);
        let y = scaled_dot_product_attention(q, k, v, attn_mask = mask, scale = 1.0);
        self.o(y.transpose(1, 2).flatten(2))
    }

    struct FeedForward<const D: usize> {
        norm: RMSNorm(D, eps = 1e-6),
        wi: Linear(D -> 2 * D, bias = false),
        wo: Linear(2 * D -> D, bias = false),
    }

    fn forward(&self, x: [n, t, D]) -> [n, t, D] {
        x + self.wo(self.wi(self.norm(x)).relu())
    }
}

#[test]
fn t5() -> Outcome {
    let mut golden = Golden::open("t5")?;
    let source = golden.classes::<7>("source");
    let [target, following] = ["target", "following"].map(|name| golden.classes::<5>(name));
    let mut net = golden.load(T5::init(Seed(0)))?;
    let mut ws = T5::workspace(3)?;
    golden.compare("out.y", flat(net.forward(&mut ws, &source, &target)?));
    golden.compare("loss", &[net.loss_grad(&mut ws, &source, &target, &following)?]);
    let adam = AdamW::new(&net, 1e-2)?;
    golden.step("loss", &mut net, &ws, adam)
}
