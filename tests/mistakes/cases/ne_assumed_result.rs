use gradiron::prelude::*;
model! {
    pub struct Enc { fc: Linear(784 -> 32) }
    fn forward(&self, x: [batch, 784]) -> [batch, 32] { self.fc(x) }
}
model! {
    pub struct Outer { enc: Enc, head: Linear(32 -> 10) }
    fn forward(&self, x: [batch, 784]) -> [batch, 10] { let y = self.enc(x); let z = self.head(y.narrow(1, 0, 32)); y }
//~                                       ^^^^^^^^^^^ `forward` returns [batch, 10], but its body makes [batch, 784]
//~| help: `enc` is taken to give what it is given, [batch, 784]; if not, write `let y: [batch, 10]
//~|   = self.enc(x);`
//~| shapes: x [batch, 784] → enc
}
fn main() {}
