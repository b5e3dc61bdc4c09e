use gradiron::prelude::*;

const GRID: [[f32; 4]; 4] = [[0.5; 4]; 4];

model! {
    struct Net {
        fc: Linear(4 -> 4),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 4] {
        self.fc(x).matmul(GRID)
    }

    fn other(&self, x: [batch, 4]) -> [batch, 4] {
        let grid: [batch, 4] = GRID;
        self.fc(x) + grid
    }
}

fn main() {}
