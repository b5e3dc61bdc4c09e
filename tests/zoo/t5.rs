//! T5 for texts of any length: an encoder and a decoder whose positions are biases of distances,
//! shared by all layers.

use gradiron::prelude::*;
use gradiron::view::array;

use crate::golden::{Golden, Outcome};

model! {
    struct T5 {
        token: Embedding(13 -> 8),
        near: Embedding(6 -> 2),
        before: Embedding(6 -> 2),
        encoder: [EncoderBlock<8, 2>; 2],
        norm1: RMSNorm(8, eps = 1e-6),
        decoder: [DecoderBlock<8, 2>; 2],
        norm2: RMSNorm(8, eps = 1e-6),
    }

    fn forward(
        &self,
        source: Classes[n, s],
        target: Classes[n, t],
        near: Classes[s, s],
        before: Classes[t, t],
        causal: [t, t],
    ) -> [n, t, 13] {
        let bias = self.near(near).permute([2, 0, 1]);
        let memory = self.norm1(self.encoder(self.token(source), bias));
        let bias = self.before(before).permute([2, 0, 1]) + causal;
        let x = self.norm2(self.decoder(self.token(target), memory, bias));
        linear(x / (8 as f32).sqrt(), self.token.weight)
    }

    fn loss(
        &self,
        source: Classes[n, s],
        target: Classes[n, t],
        following: Classes[n, t],
        near: Classes[s, s],
        before: Classes[t, t],
        causal: [t, t],
    ) -> [] {
        let y = self.forward(source, target, near, before, causal);
        cross_entropy(y.reshape([t * n, 13]), following.reshape([t * n]))
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
    let near: [[u8; 7]; 7] = golden.classes("near").try_into().expect("seven rows");
    let before: [[u8; 5]; 5] = golden.classes("before").try_into().expect("five rows");
    let causal = golden.floats("causal");
    let causal: &[[f32; 5]; 5] = array(&causal);
    let mut net = golden.load(T5::init(Seed(0)))?;
    let mut ws = T5::workspace(3, 7, 5)?;
    let y = net.forward(&mut ws, &source, &target, &near, &before, causal)?;
    golden.compare("out.y", y.as_slice());
    let (loss, d_causal) =
        net.loss_grad_inputs(&mut ws, &source, &target, &following, &near, &before, causal)?;
    golden.compare("loss", &[loss]);
    golden.compare("loss.d.causal", d_causal.as_slice());
    let adam = AdamW::new(&net, 1e-2)?;
    golden.step("loss", &mut net, &ws, adam)
}
