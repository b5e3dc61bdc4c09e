//! Elementwise nodes of one shape become chains that pass over memory once, and a chain
//! that follows a product becomes part of its call.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::graph::{Dest, Graph, Node, Phase, Source, ValueId};
use crate::ops::Rule;
use crate::ops::chain::{Chain, Link, Operand};
use crate::ops::elementwise::Elementwise;
use crate::ops::mapped::Mapped;

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
        let root = view_root(graph, value);
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
        let copy = Rc::new(Elementwise::copy());
        graph.label.clone_from(&graph.values[value].label.clone());
        let made = graph.apply(&mut Rule::default(), copy, &[value], phase);
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

/// The value whose memory `value` is.
pub fn view_root(graph: &Graph, mut value: ValueId) -> ValueId {
    while let Source::Node(n, _) = graph.values[value].source {
        if !graph.nodes[n].op.is_view() {
            break;
        }
        value = graph.nodes[n].inputs[0];
    }
    value
}

fn is_constant(node: &Node) -> bool {
    node.op.elementwise().is_some() && node.inputs.is_empty()
}

/// For each node the group it belongs to; a group is named by its last node, where it will run.
fn groups(graph: &Graph) -> Vec<Option<usize>> {
    let mut group: Vec<Option<usize>> = vec![None; graph.nodes.len()];
    let mut members: HashMap<usize, Vec<usize>> = HashMap::new();
    let users = users(graph);
    for (n, node) in graph.nodes.iter().enumerate() {
        if node.op.elementwise().is_none() || is_constant(node) {
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
                let outside = |user: &usize| graph.nodes[*user].op.elementwise().is_none();
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
        let mut builder =
            Builder { graph, links: Vec::new(), inputs: Vec::new(), made: HashMap::new() };
        members.iter().for_each(|m| builder.node(*m));
        let kept: Vec<ValueId> = members
            .iter()
            .map(|m| graph.nodes[*m].outputs[0])
            .filter(|v| used_outside(*v))
            .collect();
        let (links, inputs, made) = (builder.links, builder.inputs, builder.made);
        let labels: Vec<_> = members.iter().map(|m| graph.nodes[*m].label.clone()).collect();
        let mut chain = Chain {
            outputs: kept.iter().map(|v| made[v]).collect(),
            shape: graph.ty(node.outputs[0]).shape.clone(),
            inputs: inputs.len(),
            links,
        };
        let (mut inputs, mut outputs, phase) = (inputs, kept, node.phase);
        let followed = places.followed(graph, &nodes, &inputs, &chain, phase);
        let Some(before) = followed.and_then(|at| nodes[at].take()) else {
            let label = joined(labels);
            places.push(&mut nodes, Node { op: Rc::new(chain), inputs, outputs, phase, label });
            continue;
        };
        let Node { op, inputs: operands, outputs: results, label, .. } = before;
        let first = inputs.iter().position(|i| *i == results[0]).expect("the chain reads it");
        chain.swap_inputs(0, first);
        inputs.swap(0, first);
        let kept = used_outside(results[0]);
        outputs.extend(kept.then_some(results[0]));
        let count = operands.len();
        let node = Node {
            op: Rc::new(Mapped { op, chain, inputs: count, kept }),
            inputs: operands.into_iter().chain(inputs.into_iter().skip(1)).collect(),
            outputs,
            phase,
            label: joined([label].into_iter().chain(labels).collect()),
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

/// `fc1 → relu`
fn joined(mut labels: Vec<String>) -> String {
    labels.dedup();
    labels.join(" → ")
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

    /// The last of `nodes` that can go on with `chain`: its result has the chain's shape, and moves down
    /// to the chain since nothing in between reads it.
    fn followed(
        &self,
        graph: &Graph,
        nodes: &[Option<Node>],
        inputs: &[ValueId],
        chain: &Chain,
        phase: Phase,
    ) -> Option<usize> {
        let fits = |value: &ValueId| {
            let at = *self.made.get(value)?;
            let node = nodes[at].as_ref()?;
            let is_read = self.read.get(value).is_some_and(|read| *read > at);
            let is_whole = node.outputs[0] == *value && graph.ty(*value).shape == chain.shape;
            (node.op.takes_chain() && node.phase == phase && !is_read && is_whole).then_some(at)
        };
        inputs.iter().filter_map(fits).max()
    }
}

struct Builder<'a> {
    graph: &'a Graph,
    links: Vec<Link>,
    inputs: Vec<ValueId>,
    /// The link that makes a value.
    made: HashMap<ValueId, usize>,
}

impl Builder<'_> {
    fn node(&mut self, n: usize) {
        let node = &self.graph.nodes[n];
        let elementwise = node.op.elementwise().expect("only elementwise nodes are grouped");
        let operands = node.inputs.iter().map(|input| self.operand(*input)).collect();
        self.push(elementwise, operands, node.outputs[0]);
    }

    fn push(&mut self, op: &Elementwise, operands: Vec<Operand>, value: ValueId) {
        let (func, constants) = (op.func, op.constants.clone());
        self.made.insert(value, self.links.len());
        self.links.push(Link { func, constants, operands });
    }

    fn operand(&mut self, value: ValueId) -> Operand {
        if let Some(link) = self.made.get(&value) {
            return Operand::Link(*link);
        }
        if let Source::Node(n, _) = self.graph.values[value].source
            && is_constant(&self.graph.nodes[n])
        {
            let constant = self.graph.nodes[n].op.elementwise().expect("a constant").clone();
            self.push(&constant, Vec::new(), value);
            return Operand::Link(self.links.len() - 1);
        }
        let known = self.inputs.iter().position(|input| *input == value);
        Operand::Input(known.unwrap_or_else(|| {
            self.inputs.push(value);
            self.inputs.len() - 1
        }))
    }
}
