use gradiron::prelude::*;
model! {
    pub struct Enc { fc: Linear(784 -> 32) }
    fn forward(&self, x: [batch, 784]) -> [batch, 32] { self.fc(x) }
}
model! {
    pub struct Outer { enc: Enc, head: Linear(32 -> 10) }
    fn forward(&self, x: [batch, 784]) -> [batch, 10] { self.head(self.enc(x).relu()) }
}
fn main() {}
