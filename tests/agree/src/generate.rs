//! Random programs of models, right by construction: a statement is written where the compiler
//! accepts it, so the shape rules of the operations decide. What there is to write is in the
//! compiler's tables; a new row is drawn like the others.

pub mod dice;
mod fill;
mod finish;
mod grow;
pub(crate) mod model;
mod nest;
mod plan;
mod propose;
mod sizes;
pub(crate) mod world;

use crate::program::Program;
use dice::Dice;

/// The program of a seed. `accept` is asked of each piece whether its values are fit.
pub fn generate(seed: u64, accept: &dyn Fn(&Program) -> bool) -> Program {
    let mut dice = Dice::new(seed);
    for _ in 0..40 {
        let mut own = Dice::new(dice.any());
        if let Some(program) = plan::program(&mut own, seed, accept) {
            return program;
        }
    }
    let model = "    struct Net {\n        f1: Linear(2 -> 3),\n    }\n\n    fn forward(&self, x: [batch, 2]) \
                 -> [batch, 3] {\n        self.f1(x)\n    }\n";
    let sizes = [("batch".to_string(), 2)].into();
    Program { models: vec![model.into()], sizes, seed, ..Program::default() }
}
