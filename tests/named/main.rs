//! Parameters, gradients and state by name: what is selected, changed and copied.

mod copies;
mod frozen;
mod kinds;
mod select;

use gradiron::prelude::*;

pub type Outcome = Result<(), Box<dyn std::error::Error>>;

model! {
    pub struct Block<const D: usize> {
        norm: LayerNorm(D),
        up: Linear(D -> 2 * D),
        down: Linear(2 * D -> D, bias = false),
    }

    fn forward(&self, x: [batch, D]) -> [batch, D] {
        x + self.down(self.up(self.norm(x)).gelu())
    }
}

model! {
    #[allow(bias_before_batch_norm)]
    pub struct Encoder {
        stem: Linear(3 -> 4),
        bn: BatchNorm1d(4),
        blocks: [Block<4>; 2],
    }

    fn forward(&self, x: [batch, 3]) -> [batch, 4] {
        self.blocks(self.bn(self.stem(x)))
    }
}

model! {
    pub struct Net {
        encoder: Encoder,
        head: Linear(4 -> 2),
        scale: Param([2], init = ones),
        gain: Param([], init = ones),
    }

    fn forward(&self, x: [batch, 3]) -> [batch, 2] {
        let x: [batch, 4] = self.encoder(x);
        self.head(x) * self.scale * self.gain
    }

    fn loss(&self, x: [batch, 3], y: [batch, 2]) -> [] {
        mse_loss(self.forward(x), y)
    }
}

/// The names of all parameters of `Net`.
pub const ALL: [&str; 16] = [
    "encoder.stem.weight",
    "encoder.stem.bias",
    "encoder.bn.weight",
    "encoder.bn.bias",
    "encoder.blocks.0.norm.weight",
    "encoder.blocks.0.norm.bias",
    "encoder.blocks.0.up.weight",
    "encoder.blocks.0.up.bias",
    "encoder.blocks.0.down.weight",
    "encoder.blocks.1.norm.weight",
    "encoder.blocks.1.norm.bias",
    "encoder.blocks.1.up.weight",
    "encoder.blocks.1.up.bias",
    "encoder.blocks.1.down.weight",
    "head.weight",
    "head.bias",
];

pub const X: [[f32; 3]; 4] =
    [[0.1, 0.5, -0.3], [1.0, -1.0, 0.2], [0.3, 0.3, 0.9], [-0.7, 0.1, 0.4]];
pub const Y: [[f32; 2]; 4] = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.5, -0.5]];
