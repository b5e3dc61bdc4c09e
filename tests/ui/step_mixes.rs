//! Functions that cannot run step by step.

use gradiron::prelude::*;

const T: usize = 8;

model! {
    struct Sees {
        attn: MultiheadAttention(4, num_heads = 2),
    }

    #[step(T)]
    fn forward(&self, x: [batch, T, 4]) -> [batch, T, 4] {
        self.attn(x)
    }
}

model! {
    struct Mean {
        fc: Linear(4 -> 4),
    }

    #[step(T)]
    fn forward(&self, x: [batch, T, 4]) -> [batch, 4] {
        self.fc(x.mean(1))
    }
}

model! {
    struct NoSequence {
        fc: Linear(4 -> 4),
    }

    #[step(T)]
    fn forward(&self, x: [batch, 4]) -> [batch, 4] {
        self.fc(x)
    }
}

model! {
    struct Empty {
        fc: Linear(4 -> 4),
    }

    #[step]
    fn forward(&self, x: [batch, T, 4]) -> [batch, T, 4] {
        self.fc(x)
    }
}

model! {
    #[step(T)]
    fn double(x: [batch, T, 4]) -> [batch, T, 4] {
        x * 2.0
    }
}

fn main() {}
