//! How much memory workspaces take, known before anything runs.

use crate::arena::times;
use crate::program::{FunctionPlan, Pass};

/// The bytes of the workspaces of a model at some run-time sizes. Each is `usize::MAX` where no
/// memory can hold it, so that a comparison with what there is decides; a workspace of these sizes
/// is an error.
///
/// ```
/// use gradiron::prelude::*;
///
/// model! {
///     struct Line { line: Linear(1 -> 1) }
///     fn forward(&self, x: [batch, 1]) -> [batch, 1] { self.line(x) }
/// }
///
/// const ON_CPU: usize = Line::footprint(64, Target::Host).train;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     assert_eq!(Line::workspace(64)?.bytes(), ON_CPU);
///     let bf16 = Cpu::new().with_precision(Precision::Bf16);
///     assert!(Line::footprint(64, Precision::Bf16.on_host()).train <= ON_CPU);
///     assert!(Line::workspace_on(bf16, 64)?.bytes() <= ON_CPU);
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// A workspace for training: activations, gradients, new state, scratch memory, class indices,
    /// and what its inference prepares.
    pub train: usize,
    /// A workspace for inference alone: activations, results, scratch memory, class indices, and
    /// what it prepares of the parameters.
    pub infer: usize,
    /// What inference prepares of the parameters: a part of both, but there once for all workspaces
    /// of a network.
    pub prepared: usize,
}

/// How well the plan of a function's largest pass uses memory. Of a model in it the whole block
/// counts as one value, planned by itself.
///
/// ```
/// use gradiron::prelude::*;
///
/// model! {
///     struct Mlp { fc1: Linear(784 -> 128), fc2: Linear(128 -> 10) }
///     fn loss(&self, x: [batch, 784], class: Classes[batch]) -> [] {
///         cross_entropy(self.fc2(self.fc1(x).relu()), class)
///     }
/// }
///
/// let packing = Mlp::summary(64).packing();
/// assert!(packing.planned >= packing.least && packing.ratio() < 1.1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    /// The bytes that the plan takes.
    pub planned: usize,
    /// The bytes that are alive at the fullest moment: no plan takes less.
    pub least: usize,
}

impl Packing {
    /// Of the pass that takes most.
    pub(crate) fn of(plans: &[FunctionPlan]) -> Self {
        let passes = [Pass::Infer, Pass::Grad, Pass::GradInputs, Pass::Step, Pass::Training];
        let all = plans.iter().flat_map(|plan| passes.map(|pass| plan.packing(pass)));
        let [planned, least] = all.flatten().max().unwrap_or([0; 2]);
        Self { planned: times(planned, 4), least: times(least, 4) }
    }

    /// How many times the least is planned; 1 where nothing is.
    pub fn ratio(&self) -> f64 {
        if self.least == 0 { 1.0 } else { self.planned as f64 / self.least as f64 }
    }
}
