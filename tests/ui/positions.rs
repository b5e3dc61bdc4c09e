//! Positions that are not there.

use gradiron::prelude::*;

model! {
    struct Odd {
        fc: Linear(4 -> 5),
    }

    fn forward(&self, x: [batch, 7, 4]) -> [batch, 7, 5] {
        self.fc(x).rotary()
    }
}

model! {
    struct NoPositions {
        position: PositionalEncoding(8),
        fc: Linear(4 -> 4),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 4] {
        self.position(self.fc(x))
    }
}

model! {
    struct OtherSize {
        position: PositionalEncoding(8),
        fc: Linear(4 -> 4),
    }

    fn forward(&self, x: [batch, 7, 4]) -> [batch, 7, 4] {
        self.position(self.fc(x))
    }
}

fn main() {}
