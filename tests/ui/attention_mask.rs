use gradiron::prelude::*;

model! {
    struct Net {
        attn: MultiheadAttention(64, num_heads = 4),
        bias: Param([16, 16]),
    }

    fn forward(&self, x: [batch, 16, 64], mask: [batch, 15]) -> [batch, 16, 64] {
        self.attn(x, key_padding_mask = mask)
    }

    fn biased(&self, x: [batch, 16, 64]) -> [batch, 16, 64] {
        self.attn(x, attn_mask = self.bias)
    }
}

fn main() {}
