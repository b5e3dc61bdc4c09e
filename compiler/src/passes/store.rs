//! For training: values that live from the forward into the backward pass get a form in bf16.
//! Whether a run stores them so, only its device knows, and a plan is for both: with the
//! conversions, and without, where the widened value is the value itself.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::{About, Work};
use crate::diagnostics::Diagnostic;
use crate::graph::{Graph, Kind, Node, Op, Phase, Rule, Source, ValueId, is_long};
use crate::ops::builtin;

/// The pass.
pub(super) fn run(work: &mut Work, _: &About) -> Result<(), Diagnostic> {
    store(&mut work.graph);
    Ok(())
}

/// Inserts the conversions of each value that is worth them: to bf16 behind its last use in the
/// forward pass, and back before its first one in the backward pass.
pub fn store(graph: &mut Graph) {
    let roots: Vec<ValueId> = (0..graph.values.len()).map(|v| graph.view_root(v)).collect();
    let kept = kept(graph, &roots);
    // By the node behind which values are narrowed.
    let mut narrowed: BTreeMap<usize, Vec<ValueId>> = BTreeMap::new();
    for (v, uses) in &kept {
        narrowed.entry(uses.forward).or_default().push(*v);
    }
    let nodes = std::mem::take(&mut graph.nodes);
    let mut writer = Writer { graph, given: nodes.clone(), kept, again: HashMap::new() };
    for (n, mut node) in nodes.into_iter().enumerate() {
        if node.phase > Phase::Forward {
            if node.op.is_view() && writer.kept.contains_key(&roots[node.inputs[0]]) {
                // Its readers get views of the widened value.
                continue;
            }
            for input in &mut node.inputs {
                *input = writer.read(*input, &roots);
            }
        }
        writer.graph.nodes.push(node);
        for v in narrowed.remove(&n).unwrap_or_default() {
            writer.narrow(v);
        }
    }
    let nodes = std::mem::take(&mut graph.nodes);
    graph.set_nodes(nodes);
}

/// How the passes use the memory of a value.
struct Uses {
    /// The last node of the forward pass that does.
    forward: usize,
    /// The first phase that does behind it.
    backward: Phase,
    /// Its form in bf16, once the forward pass has made it.
    half: Option<ValueId>,
}

/// The values that ops of the forward pass make, ops of the backward pass read, and bf16 is exact
/// enough for.
fn kept(graph: &Graph, roots: &[ValueId]) -> BTreeMap<ValueId, Uses> {
    let mut forward = vec![0; graph.values.len()];
    let mut backward: BTreeMap<ValueId, Phase> = BTreeMap::new();
    for (n, node) in graph.nodes.iter().enumerate().filter(|(_, node)| !node.op.is_view()) {
        if node.phase <= Phase::Forward {
            let used = node.inputs.iter().map(|input| roots[*input]).chain(node.outputs.clone());
            used.for_each(|v| forward[v] = n);
            continue;
        }
        for input in &node.inputs {
            let first = backward.entry(roots[*input]).or_insert(node.phase);
            *first = node.phase.min(*first);
        }
    }
    let outputs: Vec<_> = graph.outputs.iter().map(|(_, v)| roots[*v]).collect();
    let is_kept = |v: ValueId| match graph.values[v].source {
        Source::Node(n, _) => {
            let node = &graph.nodes[n];
            let ours = node.phase == Phase::Forward && !outputs.contains(&v);
            ours && graph.ty(v).kind == Kind::Float && !node.op.needs_exact_output()
        }
        _ => false,
    };
    let kept = backward.into_iter().filter(|(v, _)| is_kept(*v) && is_long(graph.ty(*v)));
    kept.map(|(v, backward)| (v, Uses { forward: forward[v], backward, half: None })).collect()
}

struct Writer<'a> {
    graph: &'a mut Graph,
    /// The nodes as they were.
    given: Vec<Node>,
    kept: BTreeMap<ValueId, Uses>,
    /// The widened values, and their views in the place of views.
    again: HashMap<ValueId, ValueId>,
}

impl Writer<'_> {
    fn narrow(&mut self, v: ValueId) {
        let half = self.apply(builtin::to_bf16(), v, v, Phase::Forward);
        if let Some(uses) = self.kept.get_mut(&v) {
            uses.half = Some(half);
        }
    }

    /// What a node of the backward pass reads instead of `v`.
    fn read(&mut self, v: ValueId, roots: &[ValueId]) -> ValueId {
        let root = roots.get(v).copied().unwrap_or(v);
        let Some(Uses { half: Some(half), backward, .. }) = self.kept.get(&root) else { return v };
        if let Some(again) = self.again.get(&v) {
            return *again;
        }
        let (half, phase) = (*half, *backward);
        let again = if v == root {
            let shape = self.graph.ty(v).shape.clone();
            self.apply(builtin::from_bf16(shape), half, v, phase)
        } else {
            let Source::Node(n, _) = self.graph.values[v].source else { return v };
            let view = self.given[n].clone();
            let of = self.read(view.inputs[0], roots);
            self.apply(view.op, of, v, phase)
        };
        self.again.insert(v, again);
        again
    }

    /// Appends a node that makes another form of `named`.
    fn apply(&mut self, op: Rc<dyn Op>, of: ValueId, named: ValueId, phase: Phase) -> ValueId {
        self.graph.label.clone_from(&self.graph.values[named].label);
        self.graph.places.clear();
        let made = self.graph.apply(&mut Rule::default(), op, &[of], phase);
        made.expect("a form of a value has a shape")[0]
    }
}
