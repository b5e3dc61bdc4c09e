//! For inference: what depends on parameters, state and constants alone goes into a phase of its
//! own, which runs once for each version of them.

use super::{About, Work};
use crate::diagnostics::Diagnostic;
use crate::dim::Dim;
use crate::graph::{Graph, Node, Phase, Prepared, Rule, Source};

/// The pass.
pub(super) fn run(work: &mut Work, _: &About) -> Result<(), Diagnostic> {
    prepare(&mut work.graph);
    Ok(())
}

/// Moves nodes that read no argument into [`Phase::Prepare`], and splits off what others can
/// compute of their weights.
pub fn prepare(graph: &mut Graph) {
    let given = |source| matches!(source, Source::Param(_) | Source::State(_));
    // A function without these has nothing prepared.
    let has_any = graph.values.iter().any(|v| given(v.source));
    let lasts = |source| given(source) || has_any && matches!(source, Source::Constant(_));
    let mut lasting: Vec<bool> = graph.values.iter().map(|v| lasts(v.source)).collect();
    let mut constant = vec![false; lasting.len()];
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for mut node in std::mem::take(&mut graph.nodes) {
        if node.inputs.is_empty() && !node.op.is_of_run() {
            node.outputs.iter().for_each(|output| constant[*output] = true);
        }
        if moves(graph, &node, &lasting, &constant) {
            node.outputs.iter().for_each(|output| lasting[*output] = true);
            first.push(Node { phase: Phase::Prepare, ..node });
            continue;
        }
        let types: Vec<_> = node.inputs.iter().map(|v| graph.ty(*v).clone()).collect();
        if let Some(Prepared { reads, first: op, then }) = node.op.prepared(&types)
            && reads.iter().all(|i| lasting[node.inputs[*i]])
        {
            let read: Vec<_> = reads.iter().map(|i| node.inputs[*i]).collect();
            graph.go_on_from(&node);
            let made = graph.apply(&mut Rule::default(), op, &read, Phase::Prepare);
            node.inputs.extend(made.expect("what is prepared has a shape"));
            node.op = then;
            first.append(&mut graph.nodes);
            lasting.resize(graph.values.len(), true);
            constant.resize(graph.values.len(), false);
        }
        rest.push(node);
    }
    // Constants go where they are needed first.
    let needed = |node: &Node| {
        let reads = |output| first.iter().any(|first| first.inputs.contains(output));
        constant[node.outputs[0]] && node.outputs.iter().any(reads)
    };
    let (constants, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(needed);
    let constants = constants.into_iter().map(|node| Node { phase: Phase::Prepare, ..node });
    graph.set_nodes(constants.chain(first).chain(rest).collect());
}

/// Whether a node depends on parameters, state and constants alone, and makes something that can be
/// kept.
fn moves(graph: &Graph, node: &Node, lasting: &[bool], constant: &[bool]) -> bool {
    let sized = |value: &usize| !graph.ty(*value).shape.0.iter().any(Dim::is_run_time);
    node.inputs.iter().all(|input| lasting[*input] || constant[*input])
        && node.inputs.iter().any(|input| lasting[*input])
        && node.outputs.iter().all(sized)
        && node.op.callee().is_none()
        && !node.op.is_of_run()
        && node.op.scratch(true).is_none()
}
