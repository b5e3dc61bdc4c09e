use gradiron::prelude::*;

model! {
    fn part(x: [batch, 8]) -> [batch, 4] {
        x.narrow(dim = 1, start = 6, length = 4)
    }

    fn forgotten(x: [batch, 8]) -> [batch, 4] {
        x.narrow(1, 2)
    }
}

fn main() {}
