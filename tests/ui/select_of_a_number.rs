use gradiron::prelude::*;

model! {
    struct Net {
        fc1: Linear(4 -> 2),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 2] {
        self.fc1(x)
    }
}

fn main() {
    let net = Net::init(Seed(0));
    let _ = net.select(1);
}
