//! Operations that are made of others become these, so that their parts fuse with what
//! stands before and behind them.

use std::rc::Rc;

use super::{About, Work};
use crate::diagnostics::Diagnostic;
use crate::graph::{Dest, Expand, Graph, Kind, Node, ValueId};

/// The pass.
pub(super) fn run(work: &mut Work, _: &About) -> Result<(), Diagnostic> {
    expand_ops(&mut work.graph, work.form.is_inference());
    Ok(())
}

/// Expands every op that can be. In inference, the state stays as it is.
pub fn expand_ops(graph: &mut Graph, inference: bool) {
    if inference {
        graph.outputs.retain(|(dest, _)| !matches!(dest, Dest::NewState(_)));
    }
    let mut expanded = Vec::new();
    // What each value has become.
    let mut now: Vec<ValueId> = (0..graph.values.len()).collect();
    for mut node in std::mem::take(&mut graph.nodes) {
        node.inputs.iter_mut().for_each(|input| *input = now[*input]);
        if inference {
            hold_state(graph, &node, &mut now);
        }
        graph.go_on_from(&node);
        let (inputs, phase, known) = (node.inputs.clone(), node.phase, graph.values.len());
        let op = Rc::clone(&node.op);
        let Some(outputs) = op.expand(&mut Expand { graph, inputs, inference, phase }) else {
            expanded.push(node);
            continue;
        };
        for (old, new) in node.outputs.into_iter().zip(outputs) {
            if new >= known {
                graph.values[new].label = graph.values[old].label.clone();
                graph.values[new].from = graph.values[old].from;
            }
            now[old] = new;
        }
        expanded.append(&mut graph.nodes);
    }
    graph.outputs.iter_mut().for_each(|(_, value)| *value = now[*value]);
    graph.set_nodes(expanded);
    graph.remove_dead();
}

/// The new values of a node's state are the old ones.
fn hold_state(graph: &Graph, node: &Node, now: &mut [ValueId]) {
    let is_state = |value: &&ValueId| graph.ty(**value).kind == Kind::State;
    let held = node.inputs.iter().filter(is_state);
    for (input, output) in held.zip(node.outputs.iter().filter(is_state)) {
        now[*output] = *input;
    }
}
