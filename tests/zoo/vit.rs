//! A vision Transformer with a class token.

use gradiron::prelude::*;
use gradiron::view::{batch, flat};

use crate::golden::{Golden, Outcome, classifier};

model! {
    struct Vit {
        patch: Conv2d(3 -> 8, kernel = 4, stride = 4),
        cls: Param([8]),
        position: Param([10, 8]),
        blocks: [Block<8, 2>; 2],
        norm: LayerNorm(8),
        head: Linear(8 -> 5),
    }

    fn forward(&self, image: [n, 3, 12, 12]) -> [n, 5] {
        let x = self.patch(image).flatten(2).transpose(1, 2);
        let x = cat([self.cls.expand([n, 1, 8]), x], dim = 1) + self.position;
        self.head(self.norm(self.blocks(x).select(1, 0)))
    }

    fn loss(&self, image: [n, 3, 12, 12], label: Classes[n]) -> [] {
        cross_entropy(self.forward(image), label)
    }

    struct Block<const D: usize, const HEADS: usize> {
        ln_1: LayerNorm(D),
        attn: MultiheadAttention(D, num_heads = HEADS),
        ln_2: LayerNorm(D),
        up: Linear(D -> 4 * D),
        down: Linear(4 * D -> D),
    }

    fn forward(&self, x: [n, 10, D]) -> [n, 10, D] {
        let x = x + self.attn(self.ln_1(x));
        x + self.down(self.up(self.ln_2(x)).gelu())
    }
}

classifier!(vit, Vit, 3);
