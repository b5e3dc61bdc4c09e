use gradiron::prelude::*;

model! {
    struct Net {
        attn: MultiheadAttention(64, heads = 4),
        bias: Param([16, 16]),
    }

    fn forward(&self, x: [batch, 16, 64]) -> [batch, 16, 64] {
        self.attn(x, attn_mask = self.bias)
    }
}

fn main() {}
