//! The ops that an op is made of, as they are written into a graph.

use std::rc::Rc;

use super::{Graph, Op, Phase, Rule, ValueId};

/// Where an op writes what it is made of.
pub struct Expand<'a> {
    pub graph: &'a mut Graph,
    pub inputs: Vec<ValueId>,
    /// Set in the graph of inference.
    pub inference: bool,
    /// The phase of the op itself.
    pub phase: Phase,
}

impl Expand<'_> {
    /// Adds a node.
    pub fn op(&mut self, op: impl Op + 'static, inputs: &[ValueId]) -> ValueId {
        self.ops(op, inputs)[0]
    }

    pub fn ops(&mut self, op: impl Op + 'static, inputs: &[ValueId]) -> Vec<ValueId> {
        let name = op.name();
        match self.graph.apply(&mut Rule::default(), Rc::new(op), inputs, self.phase) {
            Ok(outputs) => outputs,
            // Expansions are written by us: their shapes must fit.
            Err(mismatch) => panic!("the expansion `{name}` {}", mismatch.message),
        }
    }
}
