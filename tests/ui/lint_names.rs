use gradiron::prelude::*;

model! {
    #[allow(sum_over_batches)]
    struct Net { #[allow(dead_code)] fc: Linear(13 -> 1) }
    fn forward(&self, x: [batch, 13]) -> [batch, 1] {
        #[allow(unused_lets)]
        let y = self.fc(x);
        #[inline]
        let z = y;
        z
    }
}

#[derive(Module)]
#[module(allow(linear_after_liner))]
struct Linears(Linear<8, 16>, Linear<16, 4>);

fn main() {}
