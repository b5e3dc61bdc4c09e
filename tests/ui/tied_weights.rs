use gradiron::prelude::*;

model! {
    struct Net {
        token: Embedding(100 -> 32),
        narrow: Linear(32 -> 90, tied = self.token),
        unknown: Linear(32 -> 100, tied = self.tokens),
    }

    fn forward(&self, x: Classes[batch]) -> [batch, 90] {
        let y = self.token(x);
        self.narrow(y) + self.unknown(y).narrow(1, 0, 90)
    }
}

fn main() {}
