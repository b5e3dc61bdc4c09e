//! Transformer layers with other sizes, inputs and options than they have.

use gradiron::prelude::*;

model! {
    struct Heads {
        layer: TransformerEncoderLayer(10, nhead = 4),
    }

    fn forward(&self, x: [batch, 7, 10]) -> [batch, 7, 10] {
        self.layer(x)
    }
}

model! {
    struct NoHeads {
        layer: TransformerEncoderLayer(12),
    }

    fn forward(&self, x: [batch, 7, 12]) -> [batch, 7, 12] {
        self.layer(x)
    }
}

model! {
    struct NoMemory {
        layer: TransformerDecoderLayer(12, nhead = 4),
    }

    fn forward(&self, x: [batch, 7, 12]) -> [batch, 7, 12] {
        self.layer(x)
    }
}

model! {
    struct Options {
        layer: TransformerEncoderLayer(12, nhead = 4, activation = swish),
    }

    fn forward(&self, x: [batch, 7, 12]) -> [batch, 7, 12] {
        self.layer(x)
    }
}

model! {
    struct Call {
        layer: TransformerEncoderLayer(12, nhead = 4),
        drop: Dropout(1.5),
    }

    fn forward(&self, x: [batch, 7, 12], mask: [7, 6]) -> [batch, 7, 12] {
        self.drop(self.layer(self.layer(x, causal = true), src_mask = mask))
    }
}

fn main() {}
