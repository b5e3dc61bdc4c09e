use gradiron::prelude::*;

const GRID: [[f64; 4]; 4] = [[0.5; 4]; 4];
const SHIFT: [f32; 4] = [0.5; 4];

model! {
    fn stated(x: [batch, 4]) -> [batch, 4] {
        let grid: [4, 4] = GRID;
        x.matmul(grid)
    }

    fn not_stated(x: [batch, 4]) -> [batch, 4] {
        x + SHIFT
    }
}

fn main() {}
