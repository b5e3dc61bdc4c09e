// weak: rustc adds where it evaluated the check
use gradiron::prelude::*;

model! {
    pub struct Gen<const A: usize, const B: usize> {
        fc1: Linear(A -> 16),
        fc2: Linear(B -> 10),
//~                 ^ `fc2` expects [batch, B] but receives [batch, 16]: B = 17, 16
    }

    fn forward(&self, x: [batch, A]) -> [batch, 10] {
        self.fc2(self.fc1(x))
    }
}

const PARAMS: usize = Gen::<8, 17>::PARAMS;

fn main() {
    println!("{PARAMS}");
}
