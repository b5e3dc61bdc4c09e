//! Constants that are out of the range of an option, which only rustc knows.

use gradiron::prelude::*;

const ZERO: usize = 0;
const TWO: usize = 2;
const THREE: usize = 3;
const SEVEN: usize = 7;
const NEGATIVE: f32 = -1.0;
const HALF: f32 = 0.5;
const LARGE: f32 = 1e38;

model! {
    pub fn windows(x: [batch, 2, 6, 6]) -> [] {
        x.max_pool2d(2, dilation = ZERO).mean()
            + x.avg_pool2d(2, stride = (2, ZERO)).mean()
            + x.max_pool2d(SEVEN).mean()
            + x.max_pool2d(TWO, padding = TWO).mean()
            + x.interpolate(ZERO).mean()
    }
}

model! {
    pub fn parts(x: [batch, 7, THREE], y: [batch, ZERO]) -> [] {
        x.narrow(1, THREE, 2 * THREE).mean()
            + x.select(1, SEVEN).mean()
            + x.rotary().mean()
            + y.mean()
    }
}

model! {
    pub fn numbers(x: [batch, 4], y: [batch, 4]) -> [] {
        x.softplus(beta = NEGATIVE).mean()
            + x.powi(HALF).mean()
            + (x * (10.0 * LARGE)).mean()
            + huber_loss(x, y, delta = NEGATIVE)
    }
}

model! {
    struct Block<const D: usize> {
        fc: Linear(D -> D),
    }

    fn forward(&self, x: [batch, D]) -> [batch, D] {
        self.fc(x)
    }
}

model! {
    struct Layers {
        conv: Conv2d(4 -> 4, kernel = 3, groups = THREE),
        attn: MultiheadAttention(4, num_heads = THREE),
        wide: Linear(4 -> ZERO),
        noise: Param([4], init = normal(0.0, NEGATIVE)),
        rows: [Block<4>; ZERO],
    }

    fn forward(&self, x: [batch, 4, 4, 4], y: [batch, 4, 4], z: [batch, 4]) -> [] {
        let y = self.attn(y) + self.noise;
        self.conv(x).mean() + y.mean() + self.wide(z).mean() + self.rows(z).mean()
    }
}

fn main() {}
