//! Lengths are whole numbers, one for each sample.

use gradiron::prelude::*;

model! {
    pub struct Reader {
        lstm: LSTM(8 -> 16),
        rnn: RNN(8 -> 16),
    }

    fn floats(&self, x: [batch, 5, 8], length: [batch]) -> [batch, 16] {
        let (y, h, c) = self.lstm(x, lengths = length);
        h
    }

    fn rank(&self, x: [batch, 8]) -> [batch, 16] {
        let (y, h) = self.rnn(x);
        h
    }
}

fn main() {}
