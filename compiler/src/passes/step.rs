//! A function of whole sequences as one of their next positions. The same declaration is
//! read again, with the positions' axis as long as the run: ops that work on each position by
//! itself stay as they are, values of the model that have a row for each position lose the others,
//! and an attention keeps the keys and values of the positions before in a cache.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::{About, Work};
use crate::diagnostics::Diagnostic;
use crate::dim::Dim;
use crate::graph::step::{Held, NoStep, Step, axis_of, new};
use crate::graph::{Dest, Graph, Node, Phase, Rule, ValueId};

/// Why a function has no step.
#[derive(Debug)]
struct Refused {
    text: String,
    help: Option<&'static str>,
}

/// The pass: the graph of a function on its next positions in the place of that of whole sequences.
pub(super) fn run(work: &mut Work, about: &About) -> Result<(), Diagnostic> {
    let (length, span) = about.length.as_ref().expect("a function with a step says its length");
    let made = stepwise(&work.graph, &about.facts.canonical(length));
    let (graph, held) = made.map_err(|Refused { text, help }| {
        let text = format!("`{}` cannot run step by step: {text}", about.function);
        let error = Diagnostic::new(*span, text);
        match help {
            Some(help) => error.help(help),
            None => error,
        }
    })?;
    (work.graph, work.held) = (graph, held);
    Ok(())
}

/// The run of `whole` on the next positions of its sequences.
///
/// # Errors
/// When an op needs all positions at once.
fn stepwise(whole: &Graph, length: &Dim) -> Result<(Graph, Held), Refused> {
    let (graph, held, now, late) = Default::default();
    let mut walk = Walk { graph, caches: 0, held, length, now, late };
    for arg in &whole.args {
        let value = &whole.values[*arg];
        let axis = axis_of(&value.ty, length);
        let mut ty = value.ty.clone();
        if let Some(axis) = axis {
            ty.shape.0[axis] = new();
        }
        let now = walk.graph.add_value(ty, value.source, &value.label);
        walk.graph.args.push(now);
        walk.now.insert(*arg, (now, axis));
    }
    if walk.now.values().all(|(_, axis)| axis.is_none()) {
        let text = format!("no argument has an axis of {length} positions");
        return Err(Refused { text, help: None });
    }
    for node in &whole.nodes {
        walk.node(whole, node)?;
    }
    for (dest, value) in &whole.outputs {
        let Dest::Result(r) = dest else { continue };
        let (now, axis) = walk.value(whole, *value);
        if axis != axis_of(whole.ty(*value), length) || axis.is_none() {
            let text = format!("result {r}, {}, has no row for each position", whole.ty(*value));
            return Err(Refused { text, help: None });
        }
        walk.graph.outputs.push((*dest, now));
    }
    walk.graph.remove_dead();
    Ok((walk.graph, walk.held))
}

struct Walk<'a> {
    graph: Graph,
    caches: usize,
    held: Held,
    length: &'a Dim,
    /// What each value of the whole graph is here, with the axis of the positions.
    now: HashMap<ValueId, (ValueId, Option<usize>)>,
    /// The values of the whole graph that are known at the end of a sequence: last states.
    late: HashSet<ValueId>,
}

impl Walk<'_> {
    /// A value here; parameters and state are the same in both.
    fn value(&mut self, whole: &Graph, value: ValueId) -> (ValueId, Option<usize>) {
        if let Some(known) = self.now.get(&value) {
            return *known;
        }
        let given = &whole.values[value];
        let now = self.graph.given(given.source, given.ty.clone(), &given.label);
        self.now.insert(value, (now, None));
        (now, None)
    }

    fn node(&mut self, whole: &Graph, node: &Node) -> Result<(), Refused> {
        self.graph.go_on_from(node);
        let given: Vec<_> = node.inputs.iter().map(|v| self.value(whole, *v)).collect();
        let (inputs, axes): (Vec<_>, Vec<_>) = given.into_iter().unzip();
        if node.inputs.iter().any(|v| self.late.contains(v)) {
            let (label, kind) = (&node.label, node.op.kind());
            let text = format!("`{label}` ({kind}) reads a last state, that of the whole sequence");
            return Err(Refused { text, help: None });
        }
        let types = |values: &[ValueId]| values.iter().map(|v| whole.ty(*v).clone()).collect();
        if axes.iter().all(Option::is_none) {
            let made = self.graph.apply(
                &mut Rule::default(),
                Rc::clone(&node.op),
                &inputs,
                Phase::Forward,
            );
            let made = made.expect("these shapes are those of the whole sequence");
            self.now.extend(node.outputs.iter().copied().zip(made.into_iter().map(|v| (v, None))));
            return Ok(());
        }
        let mut step = Step {
            graph: &mut self.graph,
            caches: &mut self.caches,
            held: &mut self.held,
            length: self.length,
            inputs,
            axes,
            whole: types(&node.inputs),
            outputs: types(&node.outputs),
        };
        let known = step.graph.values.len();
        let made = node.op.step(&mut step).map_err(|NoStep { reason, help }| {
            let text = format!("`{}` ({}) {reason}", node.label, node.op.kind());
            Refused { text, help }
        })?;
        for (old, (new, axis)) in node.outputs.iter().zip(made) {
            if new >= known {
                self.graph.values[new].label.clone_from(&whole.values[*old].label);
            }
            self.now.insert(*old, (new, axis));
            self.late.extend(axis.is_none().then_some(*old));
        }
        Ok(())
    }
}
