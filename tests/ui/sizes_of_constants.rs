//! Constants that are no sizes, or too large ones together: rustc finds it, without wrapping.

use gradiron::prelude::*;

const HUGE: usize = 1 << 63;
const LARGE: usize = 1 << 30;
const N: usize = 4;

model! {
    pub fn one(x: [batch, HUGE]) -> [] {
        x.mean()
    }
}

model! {
    pub fn two(x: [batch, LARGE, LARGE]) -> [] {
        x.mean()
    }
}

model! {
    pub fn part(x: [batch, N]) -> [] {
        x.narrow(1, HUGE, HUGE).mean() + x.narrow(1, HUGE * 4, 2).mean()
    }
}

model! {
    struct Wide {
        fc: Linear(LARGE -> LARGE),
    }

    fn forward(&self, x: [batch, LARGE]) -> [] {
        self.fc(x).mean()
    }
}

fn main() {}
