//! Weights of layers that are not there, and ones that do not fit.

use gradiron::prelude::*;

model! {
    struct Net {
        fc1: Linear(4 -> 8, bias = false),
        fc2: Linear(8),
        conv: Conv2d(3 -> 4, kernel = 3),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 8] {
        let y = linear(x, self.fc1.weight, self.fc1.bias);
        linear(y, self.fc2.weight)
    }

    fn images(&self, x: [batch, 1, 8, 8]) -> [batch, 4, 6, 6] {
        conv2d(x, self.conv.weight, self.conv.bias)
    }
}

fn main() {}
