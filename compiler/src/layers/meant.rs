//! What was meant where a layer receives a value of another shape: the step that is missing in
//! front of it.

use super::usage::Use;
use crate::diagnostics::Diagnostic;
use crate::dim::{Dim, Shape, product};
use crate::graph::ValueId;
use crate::lower::Lowering;
use crate::ops::shaping::{Permute, Reshape};
use crate::text::text_of;

impl Use<'_, '_, '_> {
    /// Whether the value has what the layer expects, but not on its axis: says so, and goes on with
    /// the value as it was meant.
    pub(super) fn is_meant_otherwise(&mut self, expected: &Dim, axis: usize) -> Lowering<bool> {
        let dims = self.cx.graph.ty(self.x).dims().to_vec();
        let rank = dims.len();
        if axis + 1 == rank && rank > 2 && product(&dims[1..]) == *expected {
            let flat = Shape(vec![dims[0].clone(), expected.clone()]);
            let help = format!("together these are {expected} features");
            self.step_is_missing("a `flatten`", ".flatten()", &help);
            self.x = self.op(Reshape(flat), &[self.x])?;
            return Ok(true);
        }
        let is_image = axis == 1 && rank == 4;
        if is_image && dims[3] == *expected {
            let first = Shape([0, 3, 1, 2].map(|axis: usize| dims[axis].clone()).to_vec());
            let help = format!("channels stand before the sides: {first}, as in PyTorch");
            self.step_is_missing("a `permute`", ".permute([0, 3, 1, 2])", &help);
            self.x = self.op(Permute(vec![0, 3, 1, 2]), &[self.x])?;
            return Ok(true);
        }
        Ok(false)
    }

    fn step_is_missing(&mut self, what: &str, call: &str, reason: &str) {
        let found = self.cx.graph.ty(self.x).clone();
        let subject = self.cx.rule.subject.clone();
        let text = format!("{what} is missing before `{subject}`, which receives {found}");
        let mut error = Diagnostic::new(self.cx.rule.span, text).help(reason);
        if let Some(argument) = &self.cx.argument {
            error = error.write(argument, format!("{}{call}", text_of(argument)));
        }
        let trail = self.cx.trail(self.x);
        self.cx.model.report(error.note(format!("shapes: {trail} → {subject} ✗")));
    }
}

/// The layer behind which a value kept its middle axes, where one with few axes was meant: `fc1` of
/// images [batch, 16, 5, 5] that no `flatten` made [batch, 400].
pub fn without_flatten(cx: &crate::lower::FnCx, made: ValueId, declared: &Shape) -> Option<String> {
    let graph = &cx.graph;
    let dims = graph.ty(made).dims();
    let rank = dims.len();
    let is_cut = rank > declared.rank()
        && declared.rank() == 2
        && dims[0] == declared.0[0]
        && dims[rank - 1] == declared.0[1];
    if !is_cut {
        return None;
    }
    let (mut value, mut layer) = (made, None);
    while let Some(from) = graph.values[value].from {
        let (now, before) = (graph.ty(value).dims(), graph.ty(from).dims());
        if before.len() != rank || before[..rank - 1] != now[..rank - 1] {
            break;
        }
        if before[rank - 1] != now[rank - 1] {
            layer = Some(graph.values[value].label.clone());
        }
        value = from;
    }
    layer
}
