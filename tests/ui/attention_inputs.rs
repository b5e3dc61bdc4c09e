use gradiron::prelude::*;

model! {
    struct Net {
        attn: MultiheadAttention(64, num_heads = 4),
        other: MultiheadAttention(64, num_heads = 4),
        fc: Linear(64 -> 64),
    }

    fn forward(&self, x: [batch, 16, 64]) -> [batch, 16, 64] {
        let y = self.attn(x, x);
        let z = self.other(x, causal = true);
        self.fc(y, is_causal = true) + z
    }
}

fn main() {}
