//! How much memory workspaces take, known before anything runs.

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
