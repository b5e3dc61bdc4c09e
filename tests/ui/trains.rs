//! `#[trains(…)]` with names that are wrong, and where it says nothing.

use gradiron::prelude::*;

model! {
    pub struct Gan {
        maker: Linear(8 -> 16),
        critic: Linear(16 -> 1),
        drop: Dropout(0.1),
        #[frozen]
        features: Linear(16 -> 16),
        other: Linear(8 -> 1),
        taste: Linear(16 -> 16),
    }

    #[trains(makr, generator)]
    fn first(&self, z: [batch, 8]) -> [] {
        self.critic(self.drop(self.maker(z))).mean()
    }

    #[trains(critic, features, critic)]
    fn second(&self, z: [batch, 8]) -> [] {
        self.critic(self.features(self.taste(self.maker(z)))).mean() + self.other(z).mean()
    }

    #[trains]
    fn third(&self, z: [batch, 8]) -> [] {
        self.critic(self.maker(z)).mean()
    }
}

model! {
    pub struct Unreached {
        maker: Linear(8 -> 16),
        critic: Linear(16 -> 1),
        drop: Dropout(0.1),
        other: Linear(8 -> 1),
    }

    #[trains(maker)]
    fn made(&self, z: [batch, 8]) -> [batch, 16] {
        self.maker(z)
    }

    #[trains(maker, drop, other)]
    fn maker_loss(&self, z: [batch, 8]) -> [] {
        self.critic(self.drop(self.maker(z))).mean()
    }

    #[trains(maker, critic)]
    fn critic_loss(&self, z: [batch, 8]) -> [] {
        self.critic(self.maker(z).detach()).mean() + self.other(z).mean()
    }
}

model! {
    pub struct Sum {
        maker: Linear(8 -> 16),
        critic: Linear(16 -> 1),
    }

    #[trains(maker)]
    fn maker_loss(&self, z: [batch, 8]) -> [] {
        self.critic(self.maker(z)).mean()
    }

    fn both(&self, z: [batch, 8]) -> [] {
        self.maker_loss(z) + self.critic(self.maker(z)).mean()
    }
}

fn main() {}
