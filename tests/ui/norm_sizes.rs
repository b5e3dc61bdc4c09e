use gradiron::prelude::*;

model! {
    struct Net {
        ln: LayerNorm(128),
        plane: LayerNorm([8, 3]),
        rms: RMSNorm(4),
    }

    fn forward(&self, x: [batch, 8, 12]) -> [batch, 8, 12] {
        let y = self.plane(self.ln(x));
        self.rms(y.mean(dim = [1, 2])).reshape([batch, 1, 1]) + y
    }
}

fn main() {}
