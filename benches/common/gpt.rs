//! A GPT of characters, of any size: nanoGPT's, with GELU and without biases.

use gradiron::prelude::*;

model! {
    pub struct Block<const T: usize, const D: usize, const HEADS: usize> {
        ln_1: LayerNorm(D, bias = false),
        attn: MultiheadAttention(D, num_heads = HEADS, bias = false),
        ln_2: LayerNorm(D, bias = false),
        c_fc: Linear(D -> 4 * D, bias = false),
        c_proj: Linear(4 * D -> D, bias = false),
    }

    #[step(T)]
    fn forward(&self, x: [batch, T, D]) -> [batch, T, D] {
        let x = x + self.attn(self.ln_1(x), is_causal = true);
        x + self.c_proj(self.c_fc(self.ln_2(x)).gelu())
    }
}

model! {
    pub struct Gpt<
        const T: usize, const D: usize, const HEADS: usize, const LAYERS: usize, const VOCAB: usize = 65,
    > {
        wte: Embedding(VOCAB -> D, init = normal(0.0, 0.02)),
        wpe: Param([T, D], init = normal(0.0, 0.02)),
        h: [Block<T, D, HEADS>; LAYERS],
        ln_f: LayerNorm(D, bias = false),
        lm_head: Linear(D -> VOCAB, bias = false, tied = self.wte),
    }

    #[step(T)]
    fn forward(&self, token: Classes[batch, T]) -> [batch, T, VOCAB] {
        self.lm_head(self.ln_f(self.h(self.wte(token) + self.wpe)))
    }

    fn loss(&self, token: Classes[batch, T], next: Classes[batch, T]) -> [] {
        let logits = self.forward(token).reshape([batch * T, VOCAB]);
        cross_entropy(logits, next.reshape([batch * T]))
    }
}

/// 4 layers, 128 wide, 64 characters.
pub type CharGpt = Gpt<64, 128, 4, 4>;
