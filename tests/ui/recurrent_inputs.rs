//! What recurrent layers are called with.

use gradiron::prelude::*;

model! {
    pub struct Reader {
        lstm: LSTM(8 -> 16),
        gru: GRU(8 -> 16, num_layers = 2),
        rnn: RNN(8 -> 16, nonlinearity = sigmoid),
        narrow: GRU(7 -> 16),
    }

    fn one_state(&self, x: [batch, 5, 8], h: [batch, 16]) -> [batch, 16] {
        let (y, h, c) = self.lstm(x, h);
        h
    }

    fn state_of_one_layer(&self, x: [batch, 5, 8], h: [batch, 16]) -> [batch, 2, 16] {
        let (y, h) = self.gru(x, h);
        h
    }

    fn nonlinearity(&self, x: [batch, 5, 8]) -> [batch, 16] {
        let (y, h) = self.rnn(x);
        h
    }

    fn size(&self, x: [batch, 5, 8]) -> [batch, 16] {
        let (y, h) = self.narrow(x);
        h
    }
}

fn main() {}
