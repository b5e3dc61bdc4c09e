#![deny(deprecated)]
use gradiron::prelude::*;

model! {
    struct Net { conv: Conv2d(1 -> 6, kernel = 5), fc: Linear(3456 -> 10) }
    fn forward(&self, image: [batch, 1, 28, 28]) -> [batch, 10] {
        let x = reveal!(self.conv(image)).relu();
        reveal!(x.flatten());
        self.fc(x.flatten())
    }
}

fn main() {}
