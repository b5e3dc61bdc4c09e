//! Elementwise nodes of one shape become chains that pass over memory once, and a chain
//! that follows a product becomes part of its call.

use std::collections::{HashMap, HashSet};

use proc_macro2::Span;

use super::{About, Work};
use crate::diagnostics::Diagnostic;
use crate::graph::{Dest, Graph, Node, Phase, Role, Rule, Source, ValueId};
use crate::ops::builtin;
use crate::ops::fusing::{Fused, is_constant};

/// The pass.
pub(super) fn run(work: &mut Work, _: &About) -> Result<(), Diagnostic> {
    fuse(&mut work.graph);
    Ok(())
}

/// Longer chains would run out of registers.
const MAX_LINKS: usize = 16;

/// Fuses every elementwise node, alone or with others, into a chain.
pub fn fuse(graph: &mut Graph) {
    own_outputs(graph);
    let groups = groups(graph);
    rewrite(graph, &groups);
    graph.remove_dead();
}

/// Gives each output memory of its own: an output that is an argument, a view of one, or another
/// output as well, is copied.
fn own_outputs(graph: &mut Graph) {
    let mut taken = Vec::new();
    let mut copies = Vec::new();
    for k in 0..graph.outputs.len() {
        let (dest, value) = graph.outputs[k];
        let root = graph.view_root(value);
        let phase = match dest {
            Dest::Result(_) | Dest::NewState(_) => Phase::Forward,
            Dest::DParam(_) => Phase::Backward,
            Dest::DArg(_) => Phase::BackwardInputs,
        };
        let owned = match graph.values[root].source {
            // The memory of an argument's gradient is there only when it is asked for.
            Source::Node(n, _) => graph.nodes[n].phase == phase && !taken.contains(&root),
            _ => false,
        };
        if owned {
            taken.push(root);
            continue;
        }
        graph.label.clone_from(&graph.values[value].label.clone());
        graph.places.clear();
        let made = graph.apply(&mut Rule::default(), builtin::copy(), &[value], phase);
        let copied = made.expect("a copy has a shape")[0];
        copies.push(graph.nodes.pop().expect("just applied"));
        graph.outputs[k].1 = copied;
    }
    let at = graph.nodes.iter().position(|n| n.phase > Phase::Forward);
    let mut backward = at.map(|at| graph.nodes.split_off(at)).unwrap_or_default();
    let mut nodes = std::mem::take(&mut graph.nodes);
    let (first, last): (Vec<_>, Vec<_>) =
        copies.into_iter().partition(|node| node.phase == Phase::Forward);
    nodes.extend(first);
    nodes.append(&mut backward);
    nodes.extend(last);
    graph.set_nodes(nodes);
}

fn is_elementwise(node: &Node) -> bool {
    node.op.role() == Role::Elementwise
}

/// For each node the group it belongs to; a group is named by its last node, where it will run.
fn groups(graph: &Graph) -> Vec<Option<usize>> {
    let mut group: Vec<Option<usize>> = vec![None; graph.nodes.len()];
    let mut members: HashMap<usize, Vec<usize>> = HashMap::new();
    let users = users(graph);
    for (n, node) in graph.nodes.iter().enumerate() {
        if !is_elementwise(node) || is_constant(node) {
            continue;
        }
        let mut joined = vec![n];
        let shape = &graph.ty(node.outputs[0]).shape;
        for input in &node.inputs {
            let Source::Node(p, _) = graph.values[*input].source else { continue };
            let Some(g) = group[p] else { continue };
            let Some(candidates) = members.get(&g) else { continue };
            let fits = graph.ty(graph.nodes[p].outputs[0]).shape == *shape
                && graph.nodes[p].phase == node.phase
                && joined.len() + candidates.len() <= MAX_LINKS
                // The group moves down to `n`: nothing in between may need its results.
                && candidates.iter().flat_map(|m| &graph.nodes[*m].outputs).all(|output| {
                    users[*output].iter().all(|u| *u >= n || candidates.contains(u))
                });
            if fits {
                joined.extend(members.remove(&g).expect("just looked up"));
            }
        }
        joined.sort_unstable();
        joined.iter().for_each(|m| group[*m] = Some(n));
        members.insert(n, joined);
    }
    group
}

/// Replaces each group by a chain at the place of its last node.
fn rewrite(graph: &mut Graph, group: &[Option<usize>]) {
    let mut nodes: Vec<Option<Node>> = Vec::new();
    let mut places = Places::default();
    let outputs: HashSet<_> = graph.outputs.iter().map(|(_, v)| *v).collect();
    let users = users(graph);
    let mut members_of: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes.len()];
    for (n, group) in group.iter().enumerate() {
        if let Some(group) = group {
            members_of[*group].push(n);
        }
    }
    for n in 0..graph.nodes.len() {
        let node = &graph.nodes[n];
        let members: Vec<usize> = match group[n] {
            Some(last) if last == n => std::mem::take(&mut members_of[n]),
            Some(_) => continue,
            None if is_constant(node) => {
                let outside = |user: &usize| !is_elementwise(&graph.nodes[*user]);
                let is_output = outputs.contains(&node.outputs[0]);
                if !users[node.outputs[0]].iter().any(outside) && !is_output {
                    continue;
                }
                vec![n]
            }
            None => {
                places.push(&mut nodes, node.clone());
                continue;
            }
        };
        let used_outside = |value: ValueId| {
            outputs.contains(&value) || users[value].iter().any(|user| !members.contains(user))
        };
        let kept: Vec<ValueId> = members
            .iter()
            .map(|m| graph.nodes[*m].outputs[0])
            .filter(|v| used_outside(*v))
            .collect();
        let steps = members.iter().map(|m| &graph.nodes[*m]);
        let (phase, fused) = (node.phase, Fused::new(graph, &members, &kept));
        let followed = places.followed(graph, &nodes, &fused, phase);
        let node = match followed.and_then(|at| nodes[at].take()) {
            None => {
                let (op, inputs) = fused.alone();
                let (label, places) = joined(steps);
                Node { op, inputs, outputs: kept, phase, label, places }
            }
            Some(before) => {
                let result = before.outputs[0];
                let (label, places) = joined([&before].into_iter().chain(steps));
                let is_kept = used_outside(result);
                let (op, inputs) = fused.behind(before, is_kept);
                let outputs = kept.into_iter().chain(is_kept.then_some(result)).collect();
                Node { op, inputs, outputs, phase, label, places }
            }
        };
        places.push(&mut nodes, node);
    }
    graph.set_nodes(nodes.into_iter().flatten().collect());
}

/// For each value the nodes that read it.
fn users(graph: &Graph) -> Vec<Vec<usize>> {
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); graph.values.len()];
    for (n, node) in graph.nodes.iter().enumerate() {
        node.inputs.iter().for_each(|i| users[*i].push(n));
    }
    users
}

/// `fc1 → relu`, and where these steps stand.
fn joined<'a>(steps: impl Iterator<Item = &'a Node>) -> (String, Vec<Span>) {
    let (mut labels, mut places): (Vec<&str>, Vec<Span>) = (Vec::new(), Vec::new());
    for step in steps {
        if labels.last() != Some(&step.label.as_str()) {
            labels.push(&step.label);
            places.extend(&step.places);
        }
    }
    (labels.join(" → "), places)
}

/// Where values are made and last read among the nodes that are written so far.
#[derive(Default)]
struct Places {
    made: HashMap<ValueId, usize>,
    read: HashMap<ValueId, usize>,
}

impl Places {
    fn push(&mut self, nodes: &mut Vec<Option<Node>>, node: Node) {
        let at = nodes.len();
        self.made.extend(node.outputs.iter().map(|output| (*output, at)));
        self.read.extend(node.inputs.iter().map(|input| (*input, at)));
        nodes.push(Some(node));
    }

    /// The last of `nodes` that can go on with the chain `fused`: its result has the chain's shape,
    /// and moves down to the chain since nothing in between reads it.
    fn followed(
        &self,
        graph: &Graph,
        nodes: &[Option<Node>],
        fused: &Fused,
        phase: Phase,
    ) -> Option<usize> {
        let fits = |value: &ValueId| {
            let at = *self.made.get(value)?;
            let node = nodes[at].as_ref()?;
            let is_read = self.read.get(value).is_some_and(|read| *read > at);
            let is_whole = node.outputs[0] == *value && graph.ty(*value).shape == *fused.shape();
            let takes = node.op.role() == Role::TakesChain;
            (takes && node.phase == phase && !is_read && is_whole).then_some(at)
        };
        fused.inputs().iter().filter_map(fits).max()
    }
}
