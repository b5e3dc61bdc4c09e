//! An LSTM gives its states at all steps and its last two.

use gradiron::prelude::*;

model! {
    pub struct Tagger {
        lstm: LSTM(8 -> 16),
        fc: Linear(16 -> 4),
    }

    fn forward(&self, x: [batch, 5, 8]) -> [batch, 4] {
        let (y, h) = self.lstm(x);
        self.fc(h)
    }

    fn last(&self, x: [batch, 5, 8]) -> [batch, 5, 4] {
        self.fc(self.lstm(x))
    }
}

fn main() {}
