//! Parameters that are handed to another model, which lets no gradient through.

use gradiron::prelude::*;

model! {
    struct Chooser<const D: usize> {
        fc: Linear(D -> D),
    }

    fn forward(&self, x: [batch, D], by: [D]) -> [batch, D] {
        where_(by.gt(0.0), self.fc(x), x)
    }
}

model! {
    struct Places {
        fc: Linear(2 -> 2),
    }

    fn forward(&self, x: [batch, 2]) -> [batch, 2] {
        self.fc(x).gt(x)
    }
}

model! {
    struct Within {
        places: Places,
    }

    fn forward(&self, x: [batch, 2], s: [batch, 2]) -> ([batch, 2], [batch, 2]) {
        let y = self.places(s);
        (y, x + s)
    }
}

model! {
    #[allow(sum_over_batch)] struct Once {
        by: Param([3]),
        inner: Chooser<3>,
    }

    fn loss(&self, x: [batch, 3]) -> [] {
        self.inner(x, self.by.tanh()).sum()
    }
}

model! {
    #[allow(sum_over_batch)] struct Row<const N: usize = 2> {
        by: Param([N]),
        inner: [Chooser<N>; 3],
    }

    fn loss(&self, x: [batch, N]) -> [] {
        self.inner(x, self.by).sum()
    }
}

model! {
    #[allow(sum_over_batch)] struct Own {
        first: Linear(2 -> 2),
        places: Places,
        rows: [Places; 2],
    }

    fn loss(&self, x: [batch, 2]) -> [] {
        let x = self.first(x);
        x.sum() + self.places(x).sum() + self.rows(x).sum()
    }
}

model! {
    #[allow(sum_over_batch)] struct Steps {
        cell: Within,
    }

    fn loss(&self, x: [batch, 4, 2], s: [batch, 2]) -> [] {
        let (y, s) = scan(self.cell, x, s);
        y.sum() + s.sum()
    }
}

fn main() {}
