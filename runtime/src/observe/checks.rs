//! The first value that is not finite.

use std::fmt;

use super::{Input, Observation, Observer, Place};
use crate::device::Failure;
use crate::profile::Phase;

/// Ends runs with an error when a value is not finite:
/// [`Cpu::with_checks`](crate::device::Cpu::with_checks).
#[derive(Debug)]
pub(crate) struct Checks;

/// The first value of a run that is not finite: what a call gives as the source of its error on a
/// device [with checks](crate::device::Cpu::with_checks).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NotFinite {
    /// The call: `Mlp::loss_grad`.
    pub function: &'static str,
    /// The pass.
    pub phase: Phase,
    /// The operation: `fc1 + log`.
    pub name: String,
    /// What it computes: `matmul.nt + add + log`.
    pub kind: String,
    /// Where its steps are written.
    pub place: Place,
    /// The value.
    pub value: f32,
    /// Where it is.
    pub index: Vec<usize>,
    /// The shape of what the operation made.
    pub shape: Vec<usize>,
    /// How many of these are not finite.
    pub count: usize,
    /// What the operation read.
    pub inputs: Vec<Input>,
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, name, value, index, count, shape, kind, place, .. } = self;
        let phase = self.phase.name();
        writeln!(
            f,
            "the first value that is not finite is {value} at {index:?} of `{name}`, in the {phase} \
             pass of `{function}`"
        )?;
        writeln!(f, "  at {place}")?;
        write!(f, "  {kind} made {shape:?}, of which {count} are not finite, from")?;
        for Input { name, range } in &self.inputs {
            write!(f, "\n    `{name}`: {range}")?;
        }
        match self.inputs.is_empty() {
            true => f.write_str(" nothing"),
            false => Ok(()),
        }
    }
}

impl std::error::Error for NotFinite {}

/// Steps by which a program makes infinities on purpose, to hide places from a softmax.
const HIDE: [&str; 2] = ["masked_fill", "where"];

impl Observer for Checks {
    fn observe(&self, seen: &Observation<'_>) -> Result<(), Failure> {
        let is_hidden = HIDE.iter().any(|step| seen.name.contains(step));
        // Infinities that go on from one operation to the next are not news.
        let may_be_infinite = is_hidden || seen.inputs.iter().any(|i| i.range.infinite > 0);
        let is_bad = |value: &f32| value.is_nan() || (value.is_infinite() && !may_be_infinite);
        for output in seen.outputs {
            let Some(at) = output.values.iter().position(is_bad) else { continue };
            return Err(Failure::new(NotFinite {
                function: seen.function,
                phase: seen.phase,
                name: seen.name.to_owned(),
                kind: seen.kind.to_owned(),
                place: seen.place.clone(),
                value: output.values[at],
                index: output.index(at),
                shape: output.shape.clone(),
                count: output.values.iter().filter(|value| !value.is_finite()).count(),
                inputs: seen.inputs.to_vec(),
            }));
        }
        Ok(())
    }
}
