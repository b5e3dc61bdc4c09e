//! Graphs in plain `f64`, one operation behind the other. Each operation is computed by the
//! reference of its room.

mod attention;
mod elementwise;
mod images;
mod indices;
mod models;
mod norms;
mod products;
mod recurrent;
mod shaping;

pub use models::{caches, joined, split};

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use gradiron_compiler::graph::{Dest, Graph, Kind, Source};
use gradiron_compiler::ops::Op;

use crate::array::Array;
use crate::library::Scope;
use crate::random::Random;

/// An operation by its definition.
trait Reference {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array>;
}

type Known = fn(&dyn Op) -> Option<&dyn Reference>;

fn known<T: Reference + 'static>(op: &dyn Op) -> Option<&dyn Reference> {
    let op: &dyn Any = op;
    op.downcast_ref::<T>().map(|op| op as &dyn Reference)
}

/// Every operation, by the rooms that they are computed in.
const ROOMS: [&[Known]; 9] = [
    attention::OPS,
    elementwise::OPS,
    images::OPS,
    indices::OPS,
    models::OPS,
    norms::OPS,
    products::OPS,
    recurrent::OPS,
    shaping::OPS,
];

/// How a run goes.
pub struct Mode {
    /// Statistics of batches are those of the state, and dropout does nothing.
    pub inference: bool,
    /// Every result is wrong by as much as its rounding to `f32` could make it.
    noise: Option<RefCell<Random>>,
    /// The number of the next dropout.
    calls: Cell<u32>,
}

impl Mode {
    pub fn new(inference: bool) -> Self {
        Self { inference, noise: None, calls: Cell::new(0) }
    }

    pub fn with_noise(self, seed: u64) -> Self {
        Self { noise: Some(RefCell::new(Random::new(seed))), ..self }
    }

    /// The number of this dropout in the run.
    fn next_call(&self) -> u32 {
        self.calls.replace(self.calls.get() + 1)
    }

    fn rounded(&self, x: f64) -> f64 {
        const HALF_ULP: f64 = 1.0 / (1 << 24) as f64;
        match &self.noise {
            Some(random) => x * (1.0 + HALF_ULP * random.borrow_mut().signed()),
            None => x,
        }
    }
}

/// Where an operation runs.
struct Cx<'a, 'l> {
    scope: &'a Scope<'l>,
    mode: &'a Mode,
}

/// What a function is called with.
#[derive(Clone, Debug, Default)]
pub struct Given {
    pub args: Vec<Array>,
    /// Parameters and state by their indices.
    pub params: Vec<Array>,
    pub state: Vec<Array>,
    /// The arrays of the program's.
    pub constants: Vec<Array>,
    /// The gradients of the results.
    pub d_results: Vec<Array>,
    pub caches: Vec<Array>,
}

/// What a run made: every value, and the outputs.
pub struct Ran {
    pub values: Vec<Option<Array>>,
    pub outputs: BTreeMap<String, Array>,
    pub caches: Vec<Array>,
}

/// The name of an output: `Result(0)`.
pub fn key(dest: Dest) -> String {
    format!("{dest:?}")
}

/// Runs a graph.
pub fn run(graph: &Graph, scope: &Scope, mode: &Mode, given: &Given) -> Ran {
    let mut values: Vec<Option<Array>> =
        graph.values.iter().map(|v| outer(v.source, given)).collect();
    let mut caches = given.caches.clone();
    let cx = Cx { scope, mode };
    for node in &graph.nodes {
        let of = |v: &usize| match graph.values[*v].source {
            Source::Cache(cache) => caches[cache].clone(),
            _ => values[*v].clone().unwrap_or_else(|| panic!("{} reads %{v}", node.op.name())),
        };
        let inputs: Vec<Array> = node.inputs.iter().map(of).collect();
        let made = evaluate(&cx, &*node.op, &inputs);
        // What an operation keeps from run to run is behind its outputs.
        let (outputs, kept) = made.split_at(node.outputs.len().min(made.len()));
        assert_eq!(outputs.len(), node.outputs.len(), "the outputs of {}", node.op.name());
        let read = node.inputs.iter().filter_map(|v| match graph.values[*v].source {
            Source::Cache(cache) => Some(cache),
            _ => None,
        });
        read.zip(kept).for_each(|(cache, kept)| caches[cache] = kept.clone());
        for (v, output) in node.outputs.iter().zip(outputs) {
            let mut output = output.clone();
            if graph.ty(*v).kind == Kind::Float {
                let dims = scope.sizes_of(graph.ty(*v).dims());
                assert_eq!(output.dims, dims, "the shape of {}", node.op.name());
                output.data.iter_mut().for_each(|x| *x = mode.rounded(*x));
            }
            values[*v] = Some(output);
        }
    }
    let output = |v: &usize| values[*v].clone().expect("an output is made");
    let outputs = graph.outputs.iter().map(|(dest, v)| (key(*dest), output(v))).collect();
    Ran { values, outputs, caches }
}

fn outer(source: Source, given: &Given) -> Option<Array> {
    match source {
        Source::Arg(at) => given.args.get(at).cloned(),
        Source::Param(at) => given.params.get(at).cloned(),
        Source::State(at) => given.state.get(at).cloned(),
        Source::DResult(at) => given.d_results.get(at).cloned(),
        Source::Constant(at) => given.constants.get(at).cloned(),
        Source::Cache(_) | Source::Node(..) | Source::Gone => None,
    }
}

/// The results of an operation.
fn evaluate(cx: &Cx, op: &dyn Op, inputs: &[Array]) -> Vec<Array> {
    let found = ROOMS.iter().flat_map(|room| room.iter()).find_map(|known| known(op));
    found.unwrap_or_else(|| panic!("`{}` has no reference", op.name())).run(cx, inputs)
}

thread_local! {
    /// Whether a difference quotient since it was last asked was taken at a kink, where a function
    /// has no gradient and derivatives choose one.
    static HAS_KINK: Cell<bool> = const { Cell::new(false) };
}

/// Says that rounding is magnified so much that a difference quotient means nothing, as at a kink.
fn magnified() {
    HAS_KINK.set(true);
}

/// Whether there was a kink since this was asked last.
pub fn had_kink() -> bool {
    HAS_KINK.replace(false)
}

/// The gradients of the inputs `wanted` of a function, from difference quotients and the gradients
/// of its outputs, nothing where there is none.
pub fn vjp(
    function: &dyn Fn(&[Array]) -> Vec<Array>,
    inputs: &[Array],
    d_outputs: &[Option<&Array>],
    wanted: &[usize],
) -> Vec<Array> {
    let mut inputs = inputs.to_vec();
    indices::keep_constants();
    function(&inputs);
    let weighed = |inputs: &[Array]| -> f64 {
        indices::repeat_constants();
        let outputs = function(inputs);
        let pairs = outputs.iter().zip(d_outputs);
        pairs
            .filter_map(|(output, d)| Some((output, (*d)?)))
            .map(|(output, d)| output.data.iter().zip(&d.data).map(|(y, d)| y * d).sum::<f64>())
            .sum()
    };
    let here = weighed(&inputs);
    let mut gradients = Vec::new();
    for &input in wanted {
        let mut gradient = Array::zeros(inputs[input].dims.clone());
        for at in 0..gradient.data.len() {
            let x = inputs[input].data[at];
            let step = 1e-6 * x.abs().max(1.0);
            let mut side = |step: f64| {
                inputs[input].data[at] = x + step;
                weighed(&inputs)
            };
            let (after, before) = (side(step), side(-step));
            gradient.data[at] = (after - before) / (2.0 * step);
            inputs[input].data[at] = x;
            // Curvature makes the quotients of the two sides differ by about a step.
            let bend = ((after - here) - (here - before)) / step;
            if bend.abs() > 1e-3 * (1.0 + gradient.data[at].abs()) {
                HAS_KINK.set(true);
            }
        }
        gradients.push(gradient);
    }
    indices::keep_constants();
    gradients
}
