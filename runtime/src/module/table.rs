//! The tables behind [`Module::describe`](super::Module::describe): constants, so that describing a
//! module takes no stack that grows with it.

use super::{ParamSpec, StateKind, StateSpec};
use crate::init::Init;

/// A line of such a table: a tensor, or the tensors of a module in this one. Each starts where the
/// one before ends.
#[derive(Clone, Copy, Debug)]
pub enum Row<Spec: 'static, Kind: 'static> {
    /// A tensor of the module itself.
    Tensor {
        /// Its name in files.
        name: &'static str,
        /// PyTorch's layout.
        shape: &'static [usize],
        /// What else is known of it.
        kind: Kind,
    },
    /// A module, or a row of modules, named `name.0`, `name.1`, …
    Module {
        /// Its name in files.
        name: &'static str,
        /// Its own description.
        describe: fn(&str, usize, &mut Vec<Spec>),
        /// What one takes of the flat slice.
        floats: usize,
        /// Of a row: the number of the first, and how many there are.
        count: Option<(usize, usize)>,
    },
    /// Tensors that are held fixed.
    Frozen(&'static Self),
}

/// A parameter: its initialiser, and the names of the weights that are tied to it.
pub type ParamRow = Row<ParamSpec, (Init, &'static [&'static str])>;

/// A tensor of the state: its initialiser, and what its floats are.
pub type StateRow = Row<StateSpec, (Init, StateKind)>;

/// Appends the parameters of a table, their names behind `prefix` and their places behind `start`.
pub fn describe(rows: &[ParamRow], prefix: &str, start: usize, specs: &mut Vec<ParamSpec>) {
    append(rows, prefix, start, specs, |name, shape, start, (init, tied)| ParamSpec {
        name,
        shape,
        start,
        init: *init,
        tied: tied.iter().map(|name| format!("{prefix}{name}")).collect(),
        frozen: false,
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

/// What tables describe.
trait Described {
    /// Says that it is held fixed.
    fn freeze(&mut self);
}

impl Described for ParamSpec {
    fn freeze(&mut self) {
        self.frozen = true;
    }
}

/// The state of what is held fixed is what every pass makes of it: the same.
impl Described for StateSpec {
    fn freeze(&mut self) {}
}

fn append<Spec: Described + 'static, Kind>(
    rows: &[Row<Spec, Kind>],
    prefix: &str,
    mut start: usize,
    specs: &mut Vec<Spec>,
    spec: impl Fn(String, Vec<usize>, usize, &Kind) -> Spec,
) {
    for row in rows {
        let (row, is_frozen) = match row {
            Row::Frozen(row) => (*row, true),
            row => (row, false),
        };
        let known = specs.len();
        match row {
            Row::Tensor { name, shape, kind } => {
                specs.push(spec(format!("{prefix}{name}"), shape.to_vec(), start, kind));
                start += shape.iter().product::<usize>();
            }
            Row::Module { name, describe, floats, count } => {
                for i in 0..count.map_or(1, |(_, count)| count) {
                    let name = match count {
                        None => format!("{prefix}{name}."),
                        Some((first, _)) => format!("{prefix}{name}.{}.", first + i),
                    };
                    describe(&name, start, specs);
                    start += floats;
                }
            }
            Row::Frozen(_) => unreachable!("it is said once"),
        }
        if is_frozen {
            specs[known..].iter_mut().for_each(Described::freeze);
        }
    }
}
