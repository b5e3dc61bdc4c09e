use gradiron::prelude::*;

model! {
    struct Net {
        attn: MultiheadAttention(100, num_heads = 3),
    }

    fn forward(&self, x: [batch, 16, 100]) -> [batch, 16, 100] {
        self.attn(x)
    }
}

fn main() {}
