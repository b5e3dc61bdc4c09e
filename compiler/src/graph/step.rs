//! An op on the next positions of sequences, as it is written into a graph.

use std::rc::Rc;

use super::{Graph, Op, Phase, Rule, Source, Ty, ValueId};
use crate::dim::{Atom, Dim, Shape};

/// The run-time sizes of a step, behind those of the user's: the positions before, and the new
/// ones.
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
    pub graph: &'a mut Graph,
    /// How many caches there are already.
    pub caches: &'a mut usize,
    pub held: &'a mut Held,
    /// The positions of whole sequences.
    pub length: &'a Dim,
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
pub type Stepped = Result<Vec<(ValueId, Option<usize>)>, NoStep>;

/// Why an op cannot run on the next positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoStep {
    /// After the op's name.
    pub reason: &'static str,
    /// What would help.
    pub help: Option<&'static str>,
}

/// Said of ops that mix positions.
pub const NEEDS_ALL: NoStep = NoStep { reason: "needs the whole sequence", help: None };

impl Step<'_> {
    /// The axis of the positions of the only input that has one.
    pub fn only(&self, i: usize) -> Result<usize, NoStep> {
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

    /// The same op where the positions are not on the axis that it works along.
    pub fn beside(&mut self, op: impl Op + 'static, own: usize) -> Stepped {
        match self.only(0)? {
            axis if axis == own => Err(NEEDS_ALL),
            axis => self.same(op, axis),
        }
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

    /// Memory for a state, which each run changes. It starts anew where there are no positions
    /// before.
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
