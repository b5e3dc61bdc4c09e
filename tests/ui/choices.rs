//! Choices that do not fit.

use gradiron::prelude::*;

model! {
    fn index_of_floats(x: [batch, 4], i: [batch, 2]) -> [batch, 2] {
        x.gather(1, i)
    }
}

model! {
    fn other_rows(x: [batch, 4, 3], i: Classes[batch, 2, 5]) -> [batch, 2, 5] {
        x.gather(1, i)
    }
}

model! {
    fn beyond(x: [batch, 4]) -> [batch] {
        x.select(1, 4)
    }
}

model! {
    fn no_axis(x: [batch, 4]) -> [batch, 4] {
        x.cumsum()
    }
}

model! {
    fn pairs(x: [batch, 4, 3], y: [batch, 4, 5]) -> [batch, 4, 5] {
        x.matmul(y)
    }
}

model! {
    fn no_value(x: [batch, 4], mask: [batch, 4]) -> [batch, 4] {
        x.masked_fill(mask)
    }
}

model! {
    fn keyword(x: [batch, 4], mask: [batch, 4]) -> [batch, 4] {
        where(mask, x, mask)
    }
}

fn main() {}
