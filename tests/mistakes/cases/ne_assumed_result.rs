use gradiron::prelude::*;
model! {
    pub struct Enc { fc: Linear(784 -> 32) }
    fn forward(&self, x: [batch, 784]) -> [batch, 32] { self.fc(x) }
}
model! {
    pub struct Outer { enc: Enc, head: Linear(32 -> 10) }
    fn forward(&self, x: [batch, 784]) -> [batch, 10] { let y = self.enc(x); let z = self.head(y.narrow(1, 0, 32)); y }
}
fn main() {}
