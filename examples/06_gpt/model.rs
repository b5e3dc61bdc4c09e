//! A GPT of characters, of the form of GPT-2 (Radford and others, 2019), without biases.

use gradiron::prelude::*;

pub const VOCAB: usize = 96; // printable ASCII, and the end of a line
pub const CONTEXT: usize = 64;
pub const WIDTH: usize = 128;

model! {
    pub struct Block {
        ln_1: LayerNorm(WIDTH, bias = false),
        attn: MultiheadAttention(WIDTH, num_heads = 4, bias = false),
        ln_2: LayerNorm(WIDTH, bias = false),
        c_fc: Linear(WIDTH -> 4 * WIDTH, bias = false),
        c_proj: Linear(4 * WIDTH -> WIDTH, bias = false),
    }

    #[step(CONTEXT)]
    fn forward(&self, x: [batch, CONTEXT, WIDTH]) -> [batch, CONTEXT, WIDTH] {
        let x = x + self.attn(self.ln_1(x), is_causal = true);
        x + self.c_proj(self.c_fc(self.ln_2(x)).gelu())
    }
}

model! {
    pub struct Gpt {
        wte: Embedding(VOCAB -> WIDTH, init = normal(0.0, 0.02)),
        wpe: Param([CONTEXT, WIDTH], init = normal(0.0, 0.02)),
        h: [Block; 4],
        ln_f: LayerNorm(WIDTH, bias = false),
        lm_head: Linear(WIDTH -> VOCAB, bias = false, tied = self.wte),
    }

    #[step(CONTEXT)]
    fn forward(&self, token: Classes[batch, CONTEXT]) -> [batch, CONTEXT, VOCAB] {
        self.lm_head(self.ln_f(self.h(self.wte(token) + self.wpe)))
    }

    fn loss(&self, token: Classes[batch, CONTEXT], next: Classes[batch, CONTEXT]) -> [] {
        let logits = self.forward(token).reshape([batch * CONTEXT, VOCAB]);
        cross_entropy(logits, next.reshape([batch * CONTEXT]))
    }
}
