//! Numbers beyond every size and every `f32`, wherever a number is read.

use gradiron::prelude::*;

model! {
    pub fn part(x: [batch, 16]) -> [] {
        x.narrow(1, 18446744073709551615, 8).mean()
            + x.narrow(1, 0, 9223372036854775808).mean()
            + x.select(1, 18446744073709551616).mean()
    }
}

model! {
    pub fn shape(x: [batch, 16]) -> [] {
        x.reshape([batch, 4294967296 * 4294967296 * 4]).mean()
    }
}

model! {
    struct Layers {
        wide: Linear(4 -> 18446744073709551615),
        conv: Conv2d(1 -> 1, kernel = 18446744073709551616),
        padded: Conv2d(1 -> 1, kernel = 3, padding = (1, 9223372036854775807)),
        table: Param([1048576, 2097152]),
    }

    fn forward(&self, x: [batch, 4], image: [batch, 1, 8, 8]) -> [] {
        self.wide(x).mean() + self.conv(image).mean() + self.padded(image).mean()
            + self.table.mean()
    }
}

model! {
    pub fn numbers(x: [batch, 4]) -> [] {
        (x * 1e39 + 1e-50).leaky_relu(negative_slope = -1e400).mean()
    }
}

fn main() {}
