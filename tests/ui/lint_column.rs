#![deny(deprecated)]
use gradiron::prelude::*;

model! {
    struct Price { fc: Linear(13 -> 1) }
    fn loss(&self, house: [batch, 13], price: [batch]) -> [] {
        (self.fc(house) - price).square().mean()
    }
}

fn main() {}
