use gradiron::prelude::*;
model! {
    pub struct Enc { fc: Linear(784 -> 32) }
    fn forward(&self, x: [batch, 784]) -> [batch, 32] { self.fc(x) }
}
model! {
    pub struct Outer { enc: Enc, head: Linear(32 -> 10) }
//~                                           ^^ `head` expects [batch, 32] but receives [batch, 784]
//~| help: `enc` is taken to give what it is given, [batch, 784]; if not, write `let y: [batch, 32]
//~|   = self.enc(x);`
//~| shapes: x [batch, 784] → enc → relu → head ✗
    fn forward(&self, x: [batch, 784]) -> [batch, 10] { self.head(self.enc(x).relu()) }
}
fn main() {}
