//! What a node is called and what it costs.

use crate::dim::Dim;
use crate::graph::{Graph, Node, Source, Ty, ValueId};
use crate::names::plain;
use crate::passes::plan::{Home, Plan};

/// `fc1 + add + relu` for the steps `fc1 → + → relu`.
pub fn name(label: &str) -> String {
    let steps = label.split(" → ").map(|step| match step {
        "+" => "add",
        "-" => "sub",
        "*" => "mul",
        "/" => "div",
        name => plain(name),
    });
    steps.collect::<Vec<_>>().join(" + ")
}

/// The floating-point operations of a node.
pub fn flops(graph: &Graph, node: &Node) -> Dim {
    let types = |values: &[ValueId]| -> Vec<Ty> {
        values.iter().map(|value| graph.ty(*value).clone()).collect()
    };
    node.op.flops(&types(&node.inputs), &types(&node.outputs))
}

/// What a node reads and writes, everything once; nothing for a call, whose operations count.
pub fn bytes(graph: &Graph, plan: &Plan, node: &Node) -> Dim {
    moved(graph, plan, node, &mut |value, seen| seen.push(value))
}

/// The same where what inference prepares counts as what it is made of.
pub fn bytes_as_written(graph: &Graph, plan: &Plan, node: &Node) -> Dim {
    fn written(graph: &Graph, plan: &Plan, value: ValueId, seen: &mut Vec<ValueId>) {
        match (plan.homes[value], graph.values[value].source) {
            (Home::Prepared(_), Source::Node(n, _)) => {
                graph.nodes[n].inputs.iter().for_each(|input| written(graph, plan, *input, seen));
            }
            _ => seen.push(graph.view_root(value)),
        }
    }
    moved(graph, plan, node, &mut |value, seen| written(graph, plan, value, seen))
}

/// Of the values for which a value of the node counts.
fn moved(
    graph: &Graph,
    plan: &Plan,
    node: &Node,
    values: &mut dyn FnMut(ValueId, &mut Vec<ValueId>),
) -> Dim {
    if node.op.callee().is_some() || !node.op.moves() {
        return Dim::lit(0);
    }
    let mut seen = Vec::new();
    let own = node.inputs.iter().chain(&node.outputs);
    own.filter(|value| plan.homes[**value] != Home::Nowhere)
        .for_each(|value| values(*value, &mut seen));
    seen.sort_unstable();
    seen.dedup();
    let floats = seen.into_iter().map(|value| graph.ty(value).shape.len());
    floats.fold(Dim::lit(0), |sum, len| sum.plus(&len)).times(&Dim::lit(4))
}
