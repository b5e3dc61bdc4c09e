//! The backward pass, by a reverse walk that knows no op.

use std::rc::Rc;

use super::{About, Work};
use crate::diagnostics::Diagnostic;
use crate::graph::{Backward, Dest, Graph, Kind, Phase, Rule, Source, ValueId};
use crate::ops::builtin;

/// The pass: the backward pass behind the forward pass.
pub(super) fn run(work: &mut Work, about: &About) -> Result<(), Diagnostic> {
    work.graph = differentiate(&work.graph).map_err(|op| {
        let function = about.function;
        let text =
            format!("`{op}` has no derivative, but lies between a parameter and `{function}`");
        Diagnostic::new(function.span(), text)
    })?;
    Ok(())
}

/// Appends to `forward` the nodes that compute the gradients of its parameters and float
/// arguments from the gradients of its results.
///
/// # Errors
/// The name of an op without a derivative that lies on the way.
pub fn differentiate(forward: &Graph) -> Result<Graph, String> {
    let mut walk = Walk { graph: forward.clone(), gradients: vec![None; forward.values.len()] };
    for (dest, value) in forward.outputs.clone() {
        if let Dest::Result(r) = dest {
            let ty = walk.graph.ty(value).clone();
            let label = format!("d_{}", walk.graph.values[value].label);
            let seed = walk.graph.add_value(ty, Source::DResult(r), label);
            walk.gradients.push(None);
            walk.accumulate(value, seed, Phase::Backward);
        }
    }
    let needs = needs(forward);
    for n in (0..forward.nodes.len()).rev() {
        walk.node(forward, n, &needs)?;
    }
    let Walk { mut graph, gradients } = walk;
    for (v, value) in forward.values.iter().enumerate() {
        if let Some(gradient) = gradients[v] {
            match value.source {
                Source::Param(p) => graph.outputs.push((Dest::DParam(p), gradient)),
                Source::Arg(a) => graph.outputs.push((Dest::DArg(a), gradient)),
                _ => {}
            }
        }
    }
    graph.remove_dead();
    Ok(graph)
}

/// Which values' gradients are asked for: those that depend on a parameter, and, only for the
/// gradients of the arguments, those that depend on a float argument alone. What a value depends on
/// through steps, or through what is detached, has no gradient of it.
fn needs(graph: &Graph) -> Vec<Option<Phase>> {
    let mut needs: Vec<Option<Phase>> = graph
        .values
        .iter()
        .map(|value| match (value.source, value.ty.kind) {
            (Source::Param(p), _) if graph.frozen.contains(&p) => None,
            (Source::Param(_), _) => Some(Phase::Backward),
            (Source::Arg(_), Kind::Float) => Some(Phase::BackwardInputs),
            _ => None,
        })
        .collect();
    for node in &graph.nodes {
        let through = node.inputs.iter().enumerate().filter(|(at, _)| !node.op.is_flat(*at));
        let need = through.filter_map(|(_, input)| needs[*input]).min();
        for output in &node.outputs {
            if graph.ty(*output).kind == Kind::Float {
                needs[*output] = need;
            }
        }
    }
    needs
}

struct Walk {
    graph: Graph,
    /// The gradient of each value, as far as it has been summed up.
    gradients: Vec<Option<ValueId>>,
}

impl Walk {
    /// Fan-out always adds up.
    fn accumulate(&mut self, value: ValueId, gradient: ValueId, phase: Phase) {
        let sum = match self.gradients[value] {
            None => gradient,
            Some(known) => {
                let inputs = [known, gradient];
                let sum = self.graph.apply(&mut Rule::default(), builtin::sum(), &inputs, phase);
                self.gradients.push(None);
                sum.expect("gradients of one value have one shape")[0]
            }
        };
        self.gradients[value] = Some(sum);
    }

    fn node(&mut self, forward: &Graph, n: usize, needs: &[Option<Phase>]) -> Result<(), String> {
        let node = &forward.nodes[n];
        let d_outputs: Vec<_> = node.outputs.iter().map(|o| self.gradients[*o]).collect();
        let wanted: Vec<_> = node.inputs.iter().map(|i| needs[*i]).collect();
        let has_none = d_outputs.iter().all(Option::is_none) || wanted.iter().all(Option::is_none);
        let op = match node.op.asked((!has_none).then_some(&wanted)) {
            Some(op) => op,
            None => Rc::clone(&node.op),
        };
        self.graph.nodes[n].op = Rc::clone(&op);
        if has_none {
            return Ok(());
        }
        self.graph.go_on_from(node);
        let known = self.graph.values.len();
        let mut backward = Backward {
            graph: &mut self.graph,
            rule: &mut Rule::default(),
            inputs: node.inputs.clone(),
            outputs: node.outputs.clone(),
            d_outputs,
            d_inputs: vec![None; wanted.len()],
            wanted,
            failed: false,
        };
        op.backward(&mut backward);
        let (d_inputs, failed) = (backward.d_inputs, backward.failed);
        for (input, gradient) in node.inputs.iter().zip(&d_inputs) {
            // A gradient that is handed through keeps its name.
            if let Some(gradient) = gradient.filter(|gradient| *gradient >= known) {
                let name = format!("d_{}", self.graph.values[*input].label);
                self.graph.values[gradient].label = name;
            }
        }
        self.gradients.resize(self.graph.values.len(), None);
        if failed {
            return Err(node.op.name());
        }
        // A gradient that is not computed must not look like one that is zero.
        for (i, (input, gradient)) in node.inputs.iter().zip(&d_inputs).enumerate() {
            if needs[*input].is_some() && gradient.is_none() != node.op.is_flat(i) {
                let op = node.op.name();
                panic!("`{op}` does not say what the gradient of its input {i} is");
            }
            // What is left out where nobody asks for the gradients of arguments must not be needed.
            if let (Some(gradient), Some(phase)) = (*gradient, needs[*input])
                && let Source::Node(made, _) = self.graph.values[gradient].source
                && self.graph.nodes[made].phase > phase
            {
                let op = node.op.name();
                panic!("`{op}` computes the gradient of its input {i} for arguments alone");
            }
        }
        for (input, gradient) in node.inputs.iter().zip(d_inputs) {
            if let (Some(gradient), Some(phase)) = (gradient, needs[*input]) {
                self.graph.go_on_from(node);
                self.accumulate(*input, gradient, phase);
            }
        }
        Ok(())
    }
}
