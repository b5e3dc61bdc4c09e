//! A function of whole sequences as one of their next positions. The same declaration is
//! read again, with the positions' axis as long as the run: ops that work on each position by itself
//! stay as they are, values of the model that have a row for each position lose the others, and an
//! attention keeps the keys and values of the positions before in a cache.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::dim::{Atom, Dim, Shape};
use crate::graph::{Dest, Graph, Node, Phase, Source, Ty, ValueId};
use crate::ops::narrow::Narrow;
use crate::ops::{Op, Rule};

/// The run-time sizes of a step, behind those of the user's: the positions before, and the new ones.
pub const SIZES: [&str; 2] = ["past__", "new__"];

/// The number of positions before.
pub fn past() -> Dim {
    Dim::atom(Atom::Run(SIZES[0].into()))
}

/// The number of new positions.
pub fn new() -> Dim {
    Dim::atom(Atom::Run(SIZES[1].into()))
}

/// The axis of the positions of an argument or a result: the first, or the one behind the batch.
pub fn axis_of(ty: &Ty, length: &Dim) -> Option<usize> {
    ty.dims().iter().take(2).position(|dim| dim == length)
}

/// How an argument or a result looks to callers: a row for each new position of each sequence, one
/// behind the other.
pub fn rows_of(ty: &Ty, length: &Dim) -> Ty {
    let Some(axis) = axis_of(ty, length) else { return ty.clone() };
    let rows = Dim::atom(Atom::Run("rows__".into()));
    let dims = [rows].into_iter().chain(ty.dims()[axis + 1..].iter().cloned());
    Ty { shape: Shape(dims.collect()), kind: ty.kind }
}

/// Why a function has no step.
#[derive(Debug)]
pub struct Refused {
    pub text: String,
    pub help: Option<String>,
}

/// What a step needs of the positions before. Models in it say the same of themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Held {
    /// Values of each of them, or how many they were: of those, sequences have room for some.
    pub positions: bool,
    /// States, that of the last one alone.
    pub states: bool,
}

/// What an op needs to say how it runs on new positions.
pub struct Step<'a> {
    graph: &'a mut Graph,
    caches: &'a mut usize,
    held: &'a mut Held,
    length: &'a Dim,
    /// The inputs in such a run.
    pub inputs: Vec<ValueId>,
    /// The axis of the positions in each, where it has one.
    pub axes: Vec<Option<usize>>,
    /// The types over whole sequences.
    pub whole: Vec<Ty>,
    pub outputs: Vec<Ty>,
}

/// The outputs in a run on new positions, each with their axis. Outputs that only a backward pass
/// reads are left out.
pub type Stepped = Result<Vec<(ValueId, Option<usize>)>, &'static str>;

/// Said of ops that mix positions.
pub const NEEDS_ALL: &str = "needs the whole sequence";

impl Step<'_> {
    /// The axis of the positions of the only input that has one.
    pub fn only(&self, i: usize) -> Result<usize, &'static str> {
        let others = self.axes.iter().enumerate().filter(|(at, _)| *at != i);
        match (self.axes[i], others.flat_map(|(_, axis)| axis).next()) {
            (Some(axis), None) => Ok(axis),
            _ => Err(NEEDS_ALL),
        }
    }

    /// Whether a size is that of the sequences.
    pub fn is_length(&self, dim: &Dim) -> bool {
        dim == self.length
    }

    /// An op of a run on new positions.
    pub fn apply(&mut self, op: impl Op + 'static, inputs: &[ValueId]) -> Vec<ValueId> {
        let name = op.name();
        match self.graph.apply(&mut Rule::default(), Rc::new(op), inputs, Phase::Forward) {
            Ok(outputs) => outputs,
            // Rules are written by us: their shapes must fit.
            Err(mismatch) => panic!("the step of `{name}` {}", mismatch.message),
        }
    }

    /// The same op on the new positions, which are on `axis` of its first output.
    pub fn same(&mut self, op: impl Op + 'static, axis: usize) -> Stepped {
        let inputs = self.inputs.clone();
        Ok(vec![(self.apply(op, &inputs)[0], Some(axis))])
    }

    /// The rows of the new positions on `axis` of an input that has a row for each.
    pub fn rows(&mut self, i: usize, axis: usize) -> Result<ValueId, &'static str> {
        if !self.is_length(&self.whole[i].dims()[axis]) {
            return Err(NEEDS_ALL);
        }
        let part = Narrow { axis, start: self.past(), len: new() };
        Ok(self.apply(part, &[self.inputs[i]])[0])
    }

    /// The number of positions before, for what depends on it.
    pub fn past(&mut self) -> Dim {
        self.held.positions = true;
        past()
    }

    /// Memory for a value of each position.
    pub fn cache(&mut self, dims: Vec<Dim>) -> ValueId {
        self.held.positions = true;
        self.kept(dims)
    }

    /// Memory for a state, which each run changes. It starts anew where there are no positions before.
    pub fn state(&mut self, dims: Vec<Dim>) -> ValueId {
        self.held.states = true;
        self.kept(dims)
    }

    /// Memory that lasts from run to run.
    pub fn kept(&mut self, dims: Vec<Dim>) -> ValueId {
        let label = format!("{} cache", self.graph.label);
        let cache = self.graph.add_value(Ty::float(dims), Source::Cache(*self.caches), label);
        *self.caches += 1;
        cache
    }
}

/// The run of `whole` on the next positions of its sequences.
///
/// # Errors
/// When an op needs all positions at once.
pub fn stepwise(whole: &Graph, length: &Dim) -> Result<(Graph, Held), Refused> {
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
        self.graph.label.clone_from(&node.label);
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
        let made = node.op.step(&mut step).map_err(|reason| {
            let text = format!("`{}` ({}) {reason}", node.label, node.op.kind());
            let is_causal = reason == crate::ops::attention::SEES_ALL;
            Refused { text, help: is_causal.then(|| "write `is_causal = true`".into()) }
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
