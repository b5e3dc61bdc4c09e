//! A program of models, as a text that a user could have written.

use std::collections::BTreeMap;
use std::fmt;

/// Constants and models, each behind those that it uses. The functions of the last model are what
/// runs.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// `const N: usize = 2;`
    pub constants: BTreeMap<String, usize>,
    /// What stands between the braces of each `model! { … }`.
    pub models: Vec<String>,
    /// The run-time sizes of the calls, `batch` = 3.
    pub sizes: BTreeMap<String, usize>,
    /// Where the random numbers of parameters, inputs and gradients start.
    pub seed: u64,
}

/// Rust that stands alone but for a `main`.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.constants {
            writeln!(f, "const {name}: usize = {value};")?;
        }
        for model in &self.models {
            writeln!(f, "\nmodel! {{\n{model}\n}}")?;
        }
        let sizes: Vec<_> = self.sizes.iter().map(|(name, n)| format!("{name} = {n}")).collect();
        write!(f, "\n// seed {}, {}", self.seed, sizes.join(", "))
    }
}
