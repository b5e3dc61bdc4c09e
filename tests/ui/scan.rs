//! Scans of models that do not fit.

use gradiron::prelude::*;

model! {
    struct Cell {
        fc: Linear(7 -> 4),
    }

    fn forward(&self, x: [batch, 3], h: [batch, 4]) -> ([batch, 4], [batch, 4]) {
        let h = self.fc(cat([x, h], 1)).tanh();
        (h, h)
    }
}

model! {
    #[allow(bias_before_batch_norm)] struct Normed {
        fc: Linear(7 -> 4),
        norm: BatchNorm1d(4),
    }

    fn forward(&self, x: [batch, 3], h: [batch, 4]) -> ([batch, 4], [batch, 4]) {
        let h = self.norm(self.fc(cat([x, h], 1))).tanh();
        (h, h)
    }
}

model! {
    struct NoState {
        cell: Cell,
    }

    fn forward(&self, x: [batch, 5, 3]) -> [batch, 5, 3] {
        scan(self.cell, x)
    }
}

model! {
    struct NoCell {
        fc: Linear(3 -> 4),
    }

    fn forward(&self, x: [batch, 5, 3], h: [batch, 4]) -> [batch, 5, 4] {
        let (y, _h) = scan(self.fc, x, h);
        y
    }
}

model! {
    struct NoSteps {
        cell: Cell,
    }

    fn forward(&self, x: [batch], h: [batch, 4], len: [batch]) -> [batch, 4] {
        let (y, _h) = scan(self.cell, x, h);
        y
    }
}

model! {
    struct NoLengths {
        cell: Cell,
    }

    fn forward(&self, x: [batch, 5, 3], h: [batch, 4], len: [batch]) -> [batch, 5, 4] {
        let (y, _h) = scan(self.cell, x, h, lengths = len);
        y
    }
}

model! {
    struct TooMany {
        cell: Cell,
    }

    fn forward(&self, x: [batch, 5, 3], h: [batch, 4]) -> [batch, 5, 4] {
        let (y, _h, _c) = scan(self.cell, x, h, h);
        y
    }
}

model! {
    struct OtherSizes {
        cell: Cell,
    }

    fn forward(&self, x: [batch, 5, 2], h: [batch, 4]) -> [batch, 5, 4] {
        let (y, _h) = scan(self.cell, x, h);
        y
    }
}

model! {
    struct OtherResult {
        cell: Cell,
    }

    fn forward(&self, x: [batch, 5, 3], h: [batch, 4]) -> [batch, 5, 9] {
        let (y, _h) = scan(self.cell, x, h, out = [9]);
        y
    }
}

model! {
    struct OfNormed {
        cell: Normed,
    }

    fn forward(&self, x: [batch, 5, 3], h: [batch, 4]) -> [batch, 5, 4] {
        let (y, _h) = scan(self.cell, x, h);
        y
    }
}

fn main() {}
