//! A loss with `#[trains(…)]` of a model in a model.

use gradiron::prelude::*;

model! {
    #[allow(linear_after_linear)] pub struct Gan {
        maker: Linear(8 -> 16),
        critic: Linear(16 -> 1),
    }

    #[trains(maker)]
    fn maker_loss(&self, z: [batch, 8]) -> [] {
        self.critic(self.maker(z)).mean()
    }
}

model! {
    pub struct Outer {
        gan: Gan,
    }

    fn loss(&self, z: [batch, 8]) -> [] {
        let loss: [] = self.gan.maker_loss(z);
        2.0 * loss
    }
}

fn main() {}
