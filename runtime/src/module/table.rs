//! The tables behind [`Module::describe`](super::Module::describe): constants, so that describing a
//! module takes no stack that grows with it.

use super::{ParamSpec, StateKind, StateSpec};
use crate::init::Init;

/// A line of such a table: a tensor, or the tensors of a module in this one. Each starts where the
/// one before ends.
#[derive(Clone, Copy, Debug)]
pub enum Row<Spec, Kind> {
    /// A tensor of the module itself.
    Tensor {
        /// Its name in files.
        name: &'static str,
        /// PyTorch's layout.
        shape: &'static [usize],
        /// What else is known of it.
        kind: Kind,
    },
    /// A module, or a row of `count` modules, named `name.0`, `name.1`, …
    Module {
        /// Its name in files.
        name: &'static str,
        /// Its own description.
        describe: fn(&str, usize, &mut Vec<Spec>),
        /// What one takes of the flat slice.
        floats: usize,
        /// How many there are, in a row.
        count: Option<usize>,
    },
}

/// A parameter: its initialiser, and the names of the weights that are tied to it.
pub type ParamRow = Row<ParamSpec, (Init, &'static [&'static str])>;

/// A tensor of the state: its first value, and what its floats are.
pub type StateRow = Row<StateSpec, (f32, StateKind)>;

/// Appends the parameters of a table, their names behind `prefix` and their places behind `start`.
pub fn describe(rows: &[ParamRow], prefix: &str, start: usize, specs: &mut Vec<ParamSpec>) {
    append(rows, prefix, start, specs, |name, shape, start, (init, tied)| ParamSpec {
        name,
        shape,
        start,
        init: *init,
        tied: tied.iter().map(|name| format!("{prefix}{name}")).collect(),
    });
}

/// The same for the state.
pub fn describe_state(rows: &[StateRow], prefix: &str, start: usize, specs: &mut Vec<StateSpec>) {
    append(rows, prefix, start, specs, |name, shape, start, (init, kind)| StateSpec {
        name,
        shape,
        start,
        init: *init,
        kind: *kind,
    });
}

fn append<Spec, Kind>(
    rows: &[Row<Spec, Kind>],
    prefix: &str,
    mut start: usize,
    specs: &mut Vec<Spec>,
    spec: impl Fn(String, Vec<usize>, usize, &Kind) -> Spec,
) {
    for row in rows {
        match row {
            Row::Tensor { name, shape, kind } => {
                specs.push(spec(format!("{prefix}{name}"), shape.to_vec(), start, kind));
                start += shape.iter().product::<usize>();
            }
            Row::Module { name, describe, floats, count: None } => {
                describe(&format!("{prefix}{name}."), start, specs);
                start += floats;
            }
            Row::Module { name, describe, floats, count: Some(count) } => {
                for i in 0..*count {
                    describe(&format!("{prefix}{name}.{i}."), start, specs);
                    start += floats;
                }
            }
        }
    }
}
