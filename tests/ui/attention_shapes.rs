use gradiron::prelude::*;

model! {
    fn attend(q: [batch, 4, 10, 16], k: [batch, 4, 12, 16], v: [batch, 4, 11, 16]) -> [batch, 4, 10, 16] {
        scaled_dot_product_attention(q, k, v)
    }

    fn shared(q: [batch, 6, 10, 16], k: [batch, 4, 10, 16]) -> [batch, 6, 10, 16] {
        scaled_dot_product_attention(q, k, k, is_causal = true)
    }

    fn alone(q: [batch, 6, 10, 16]) -> [batch, 6, 10, 16] {
        scaled_dot_product_attention(q)
    }
}

fn main() {}
