//! A nested model that does not run step by step, or by other lengths.

use gradiron::prelude::*;

model! {
    struct Whole {
        fc: Linear(4 -> 4),
    }

    fn forward(&self, x: [batch, 8, 4]) -> [batch, 8, 4] {
        self.fc(x)
    }
}

model! {
    struct Net {
        inner: Whole,
    }

    #[step(8)]
    fn forward(&self, x: [batch, 8, 4]) -> [batch, 8, 4] {
        self.inner(x)
    }
}

model! {
    struct Twelve<const T: usize> {
        fc: Linear(4 -> 4),
    }

    #[step(12)]
    fn forward(&self, x: [batch, 12, 4]) -> [batch, 12, 4] {
        self.fc(x)
    }
}

model! {
    struct Other {
        inner: Twelve<1>,
    }

    #[step(8)]
    fn forward(&self, x: [batch, 8, 4]) -> [batch, 8, 4] {
        self.inner(x)
    }
}

const HALF: usize = 4;

model! {
    struct Pair {
        fc: Linear(4 -> 4),
    }

    #[step(8)]
    fn forward(&self, x: [batch, 8, 4], y: [batch, 8, 4]) -> [batch, 8, 4] {
        self.fc(x) * y
    }
}

model! {
    // The second size is a number that only rustc sees to be that of the positions.
    struct Hidden {
        inner: Pair,
    }

    #[step(8)]
    fn forward(&self, x: [batch, 8, 4], y: [batch, 2 * HALF, 4]) -> [batch, 8, 4] {
        self.inner(x, y)
    }
}

fn main() {}
