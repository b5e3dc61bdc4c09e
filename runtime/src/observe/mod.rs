//! Who looks on at a run: what observers see of it, checks, and the file of a run that failed one.
//! What they are for is in [`debug`](crate::debug).

mod checks;
mod trace_file;
mod watch;

use std::fmt;

pub(crate) use checks::Checks;
pub use checks::NotFinite;
pub(crate) use trace_file::{ARGUMENT, Given, TraceFile};
pub(crate) use watch::{NamedTensor, Watch};

use crate::device::Failure;
use crate::profile::Phase;

/// Sees what the operations of a run read and write. A function of an [`Observation`] is one.
///
/// ```
/// use gradiron::debug::Observation;
/// use gradiron::prelude::*;
///
/// model! {
///     struct Mlp { fc1: Linear(4 -> 8), fc2: Linear(8 -> 2) }
///     fn forward(&self, x: [batch, 4]) -> [batch, 2] { self.fc2(self.fc1(x).relu()) }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let net = Mlp::init(Seed(0));
/// let cpu = Cpu::new().with_observer(|seen: &Observation<'_>| {
///     for output in seen.outputs {
///         println!("{} {:?}: {:?}", seen.name, output.shape, output.values);
///     }
///     Ok(())
/// });
/// let mut ws = Mlp::workspace_on(cpu, 1)?;
/// net.forward(&mut ws, &[[1.0; 4]])?;
/// # Ok(())
/// # }
/// ```
pub trait Observer: Send + Sync {
    /// An operation has run, on the thread that called the model.
    ///
    /// # Errors
    /// What the call of the model shall give in place of its results. The run goes on to its end
    /// before, and is not observed any more.
    fn observe(&self, seen: &Observation<'_>) -> Result<(), Failure>;
}

impl<F: Fn(&Observation<'_>) -> Result<(), Failure> + Send + Sync> Observer for F {
    fn observe(&self, seen: &Observation<'_>) -> Result<(), Failure> {
        self(seen)
    }
}

/// An operation that has run.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Observation<'a> {
    /// The call that runs: `Mlp::loss_grad`.
    pub function: &'static str,
    /// The pass that the operation is in.
    pub phase: Phase,
    /// The layers and the steps of the body that it is: `blocks.0.fc1 + relu`.
    pub name: &'a str,
    /// What it computes: `matmul.nt + add + relu`.
    pub kind: &'a str,
    /// Where its steps are written.
    pub place: &'a Place,
    /// What it read, as it was before.
    pub inputs: &'a [Input],
    /// What it wrote.
    pub outputs: &'a [Output<'a>],
}

/// Places in the text of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file, as rustc names it.
    pub file: &'static str,
    /// Line and column of each step, counted from 1; none for what follows from no step.
    pub steps: Vec<[usize; 2]>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file)?;
        for (i, [line, column]) in self.steps.iter().enumerate() {
            write!(f, "{}{line}:{column}", if i == 0 { ":" } else { " and " })?;
        }
        Ok(())
    }
}

/// What an operation read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Input {
    /// A parameter (`fc1.weight`), an argument (`argument 1`, counted among those of floats), or
    /// the operation that made it (`fc1 + relu`).
    pub name: String,
    /// The numbers that it had.
    pub range: Range,
}

/// What an operation wrote.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Output<'a> {
    /// The sizes; `[len]` where more than one of them is a constant that has a name.
    pub shape: Vec<usize>,
    /// The numbers.
    pub values: &'a [f32],
}

impl Output<'_> {
    /// The place of element `at` along each axis.
    pub fn index(&self, mut at: usize) -> Vec<usize> {
        let mut index: Vec<usize> = self
            .shape
            .iter()
            .rev()
            .map(|size| {
                let along = at % size.max(&1);
                at /= size.max(&1);
                along
            })
            .collect();
        index.reverse();
        index
    }
}

/// How far numbers reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// How many there are.
    pub len: usize,
    /// The least of those that are finite; infinity where none is.
    pub min: f32,
    /// The largest of those that are finite; minus infinity where none is.
    pub max: f32,
    /// How many are infinite.
    pub infinite: usize,
    /// How many are NaN.
    pub nan: usize,
}

impl Range {
    /// That of these numbers.
    pub fn of(values: &[f32]) -> Self {
        let empty = Self {
            len: values.len(),
            min: f32::INFINITY,
            max: -f32::INFINITY,
            infinite: 0,
            nan: 0,
        };
        values.iter().fold(empty, |range, value| match value.is_finite() {
            true => Self { min: range.min.min(*value), max: range.max.max(*value), ..range },
            false if value.is_nan() => Self { nan: range.nan + 1, ..range },
            false => Self { infinite: range.infinite + 1, ..range },
        })
    }

    /// Whether all are finite.
    pub fn is_finite(&self) -> bool {
        self.infinite + self.nan == 0
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { len, min, max, infinite, nan } = *self;
        match infinite + nan < len {
            true => write!(f, "{} to {}", Short(min), Short(max))?,
            false => f.write_str("no finite number")?,
        }
        for (count, what) in [(nan, "NaN"), (infinite, "infinite")] {
            if count > 0 {
                write!(f, ", {count} of {len} {what}")?;
            }
        }
        Ok(())
    }
}

/// A number in few characters: `0.25`, `-13.1`, `3.2e-12`.
pub(crate) struct Short(pub(crate) f32);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.abs();
        match size == 0.0 || (1e-3..1e5).contains(&size) {
            true => f.pad(&format!("{}", (f64::from(self.0) * 1e4).round() / 1e4)),
            false => f.pad(&format!("{:.2e}", self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_have_an_index() {
        let output = Output { shape: vec![2, 3, 4], values: &[] };
        assert_eq!(output.index(23), [1, 2, 3]);
        assert_eq!(output.index(5), [0, 1, 1]);
        assert_eq!(Output { shape: Vec::new(), values: &[1.0] }.index(0), [0_usize; 0]);
    }

    #[test]
    fn a_range_counts_what_is_not_finite() {
        let range = Range::of(&[1.0, -2.5, f32::NAN, f32::INFINITY, f32::NAN]);
        assert_eq!(range.to_string(), "-2.5 to 1, 2 of 5 NaN, 1 of 5 infinite");
        assert_eq!(Range::of(&[f32::NAN]).to_string(), "no finite number, 1 of 1 NaN");
        assert_eq!(Range::of(&[1e-20, 123_456.0]).to_string(), "1.00e-20 to 1.23e5");
    }
}
