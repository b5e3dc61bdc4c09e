//! Steps of a scan that are no call of a model.

use gradiron::prelude::*;

model! {
    struct Cell {
        fc: Linear(7 -> 4),
    }

    fn forward(&self, x: [n, 3], h: [n, 4], memory: [n, 6]) -> ([n, 4], [n, 4]) {
        let h = self.fc(cat([x, h], 1)).tanh() * memory.sum(dim = 1, keepdim = true);
        (h, h)
    }

    struct Net {
        cell: Cell,
        fc: Linear(3 -> 4),
    }

    fn computes(&self, x: [n, 5, 3], h: [n, 4], memory: [n, 6]) -> ([n, 5, 4], [n, 4]) {
        scan(|x, h| self.cell(x * 2.0, h, memory), x, h)
    }

    fn layer(&self, x: [n, 5, 3], h: [n, 4]) -> ([n, 5, 4], [n, 4]) {
        scan(|x, h| self.fc(x), x, h)
    }

    fn no_state(&self, x: [n, 5, 3], h: [n, 4], memory: [n, 6]) -> ([n, 5, 4], [n, 4]) {
        scan(|x| self.cell(x, h, memory), x, h)
    }

    fn twice(&self, x: [n, 5, 3], h: [n, 4]) -> ([n, 5, 4], [n, 4]) {
        scan(|x, h| self.cell(x, h, h), x, h)
    }

    fn unused(&self, x: [n, 5, 3], h: [n, 4], memory: [n, 6]) -> ([n, 5, 4], [n, 4]) {
        scan(|x, h| self.cell(x, memory, memory), x, h)
    }

    fn other_size(&self, x: [n, 5, 3], h: [n, 4], memory: [n, 5]) -> ([n, 5, 4], [n, 4]) {
        scan(|x, h| self.cell(x, h, memory), x, h)
    }

    fn few_results(&self, x: [n, 5, 3], h: [n, 4], memory: [n, 6]) -> ([n, 5, 4], [n, 4]) {
        scan(|(x, z), h, g, c| self.cell(x, h, memory), (x, x), h, h, h)
    }

    fn other_lengths(&self, x: [n, 5, 3], z: [n, 4, 6], h: [n, 4]) -> ([n, 5, 4], [n, 4]) {
        scan(|(x, z), h| self.cell(x, h, z), (x, z), h)
    }
}

fn main() {}
