//! The derivative of an op as it is written into a graph.

use std::rc::Rc;

use super::{Graph, Op, Phase, Rule, Ty, ValueId};

/// Where an op writes its derivative.
pub struct Backward<'a> {
    pub graph: &'a mut Graph,
    pub rule: &'a mut Rule,
    pub inputs: Vec<ValueId>,
    pub outputs: Vec<ValueId>,
    /// The gradients of the outputs; none where nothing depends on one.
    pub d_outputs: Vec<Option<ValueId>>,
    /// Whether an input's gradient is asked for, and in which phase.
    pub wanted: Vec<Option<Phase>>,
    pub d_inputs: Vec<Option<ValueId>>,
    /// Whether there is no derivative.
    pub failed: bool,
}

impl Backward<'_> {
    /// The gradient of the only output that has one.
    pub fn d_y(&self) -> ValueId {
        self.d_outputs[0].expect("backward runs only for an output with a gradient")
    }

    pub fn ty(&self, value: ValueId) -> Ty {
        self.graph.ty(value).clone()
    }

    /// Whether the gradient of input `i` is asked for.
    pub fn wants(&self, i: usize) -> bool {
        self.wanted[i].is_some()
    }

    /// Adds a node that computes (a part of) the gradient of input `i`.
    pub fn op(&mut self, i: usize, op: impl Op + 'static, inputs: &[ValueId]) -> ValueId {
        self.ops(i, op, inputs)[0]
    }

    pub fn ops(&mut self, i: usize, op: impl Op + 'static, inputs: &[ValueId]) -> Vec<ValueId> {
        // What nobody asks for by itself is computed with what is asked for.
        let phase = self.wanted[i].or(self.wanted.iter().flatten().min().copied());
        let phase = phase.unwrap_or(Phase::Backward);
        let name = op.name();
        match self.graph.apply(self.rule, Rc::new(op), inputs, phase) {
            Ok(outputs) => outputs,
            Err(mismatch) => {
                // Derivatives are written by us: their shapes must fit.
                panic!("the derivative `{name}` {}", mismatch.message)
            }
        }
    }

    pub fn set(&mut self, i: usize, gradient: ValueId) {
        self.d_inputs[i] = Some(gradient);
    }

    /// Says that there is no derivative.
    pub fn none(&mut self) {
        self.failed = true;
    }
}
