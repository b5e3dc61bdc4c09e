//! What values and gradients are like, over many runs.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::device::Failure;
use crate::observe::{Observation, Observer, Output, Place, Range, Short};
use crate::profile::Phase;

/// From here on a number counts as a limit of its function: 1 of a tanh, a sigmoid or a softmax.
const LIMIT: f32 = 0.999;

/// Statistics of what operations make, forward and backward: an observer whose clones are the same
/// record.
///
/// ```
/// use gradiron::debug::Statistics;
/// use gradiron::prelude::*;
///
/// model! {
///     struct Mlp { fc1: Linear(4 -> 8), fc2: Linear(8 -> 1) }
///     fn loss(&self, x: [batch, 4]) -> [] { self.fc2(self.fc1(x).relu()).square().mean() }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut net = Mlp::init(Seed(0));
/// net.select_mut("fc1.bias")?.fill(-100.0); // no unit of this layer will ever be positive
/// let statistics = Statistics::new();
/// let cpu = Cpu::new().with_observer(statistics.clone());
/// let mut ws = Mlp::workspace_on(cpu, 2)?;
/// net.loss_grad(&mut ws, &[[1.0; 4]; 2])?;
/// println!("{}", statistics.table());
/// let table = statistics.table();
/// let relu = table.rows().iter().find(|row| row.name == "fc1 + relu").expect("it has run");
/// assert_eq!((relu.dead, relu.units), (8, 8));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Statistics {
    rows: Arc<Mutex<Vec<Row>>>,
}

/// The statistics of an operation, over all runs. Operations of one name and kind, such as the
/// products of an attention, are one row.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Row {
    /// The pass.
    pub phase: Phase,
    /// The layers and steps: `fc1 + relu`.
    pub name: String,
    /// What it computes: `matmul.nt + add + relu`.
    pub kind: String,
    /// Where it is written.
    pub place: Place,
    /// How often it ran.
    pub calls: u64,
    /// How many numbers it made in all.
    pub count: u64,
    /// The least of those that are finite.
    pub min: f32,
    /// The largest of those that are finite.
    pub max: f32,
    /// The mean of those that are finite.
    pub mean: f64,
    /// The root of the mean square of those that are finite.
    pub rms: f64,
    /// How many are zero.
    pub zeros: u64,
    /// How many are below 2⁻¹²⁶ and not zero: many processors compute with such tens of times more
    /// slowly.
    pub subnormal: u64,
    /// How many are infinite or NaN.
    pub not_finite: u64,
    /// How many are at a limit, where the operation ends in a `tanh`, a `sigmoid` or a `softmax`:
    /// less than a thousandth from it. Of a softmax, how many are at 1.
    pub saturated: u64,
    /// The units, the sizes of axis 1, of a `relu`.
    pub units: usize,
    /// How many of them were zero for all samples of all runs.
    pub dead: usize,
    alive: Vec<bool>,
    sum: f64,
    squares: f64,
}

/// A table of operations, in the order in which they ran first.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Row>,
}

impl Statistics {
    /// An empty record.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was recorded so far.
    pub fn table(&self) -> Table {
        Table { rows: self.rows().clone() }
    }

    /// Forgets what was recorded so far.
    pub fn clear(&self) {
        self.rows().clear();
    }

    fn rows(&self) -> MutexGuard<'_, Vec<Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Statistics")
    }
}

impl Observer for Statistics {
    fn observe(&self, seen: &Observation<'_>) -> Result<(), Failure> {
        let Some(output) = seen.outputs.first() else { return Ok(()) };
        let mut rows = self.rows();
        let is_it =
            |row: &Row| row.phase == seen.phase && row.name == seen.name && row.kind == seen.kind;
        let at = rows.iter().position(is_it).unwrap_or_else(|| {
            rows.push(Row::new(seen));
            rows.len() - 1
        });
        rows[at].add(output);
        Ok(())
    }
}

impl Row {
    fn new(seen: &Observation<'_>) -> Self {
        let Range { min, max, .. } = Range::of(&[]);
        Self {
            phase: seen.phase,
            name: seen.name.to_owned(),
            kind: seen.kind.to_owned(),
            place: seen.place.clone(),
            calls: 0,
            count: 0,
            min,
            max,
            mean: 0.0,
            rms: 0.0,
            zeros: 0,
            subnormal: 0,
            not_finite: 0,
            saturated: 0,
            units: 0,
            dead: 0,
            alive: Vec::new(),
            sum: 0.0,
            squares: 0.0,
        }
    }

    /// The last step, whose limits values may be at.
    fn ends_in(&self, step: &str) -> bool {
        self.phase == Phase::Forward && self.name.rsplit([' ', '.']).next() == Some(step)
    }

    fn add(&mut self, output: &Output<'_>) {
        let count = |is: fn(&f32) -> bool| output.values.iter().filter(|v| is(v)).count() as u64;
        self.calls += 1;
        self.count += output.values.len() as u64;
        let range = Range::of(output.values);
        (self.min, self.max) = (self.min.min(range.min), self.max.max(range.max));
        self.not_finite += (range.infinite + range.nan) as u64;
        self.zeros += count(|value| *value == 0.0);
        self.subnormal += count(|value| value.is_subnormal());
        for value in output.values.iter().filter(|value| value.is_finite()) {
            self.sum += f64::from(*value);
            self.squares += f64::from(*value).powi(2);
        }
        let finite = (self.count - self.not_finite).max(1) as f64;
        (self.mean, self.rms) = (self.sum / finite, (self.squares / finite).sqrt());
        self.saturated += match () {
            () if self.ends_in("tanh") => count(|value| value.abs() > LIMIT),
            () if self.ends_in("sigmoid") => count(|v| *v > LIMIT || *v < 1.0 - LIMIT),
            () if self.ends_in("softmax") => count(|value| *value > LIMIT),
            () => 0,
        };
        if let (true, [_, units, ..]) = (self.ends_in("relu"), &output.shape[..]) {
            self.units = *units;
            self.alive.resize(*units, false);
            let each: usize = output.shape[2..].iter().product();
            for (i, values) in output.values.chunks(each.max(1)).enumerate() {
                self.alive[i % units] |= values.iter().any(|value| *value != 0.0);
            }
            self.dead = self.alive.iter().filter(|alive| !**alive).count();
        }
    }

    /// What is worth a look: `3 of 128 units are dead`.
    fn remarks(&self) -> Vec<String> {
        let share = |of: u64| format!("{:.1} %", 100.0 * of as f64 / self.count.max(1) as f64);
        let mut remarks = Vec::new();
        if self.dead > 0 {
            remarks.push(format!("{} of {} units are dead", self.dead, self.units));
        }
        for (of, what) in [
            (self.saturated, "at a limit"),
            (self.subnormal, "below the normal numbers"),
            (self.not_finite, "not finite"),
        ] {
            if of > 0 {
                remarks.push(format!("{} {what}", share(of)));
            }
        }
        remarks
    }
}

impl Table {
    /// The operations.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width =
            |of: fn(&Row) -> &str| self.rows.iter().map(|row| of(row).chars().count()).max();
        let (name, kind) = (width(|row| &row.name), width(|row| &row.kind));
        let (name, kind) = (name.unwrap_or(0).max(9), kind.unwrap_or(0).max(4));
        write!(
            f,
            "{:8}  {:name$}  {:kind$}  {:>10}  {:>10}",
            "phase", "operation", "kind", "min", "max"
        )?;
        writeln!(f, "  {:>10}  {:>10}  {:>7}", "mean", "rms", "zero %")?;
        for row in &self.rows {
            let zeros = 100.0 * row.zeros as f64 / row.count.max(1) as f64;
            let [min, max] = [row.min, row.max].map(Short);
            let [mean, rms] = [row.mean, row.rms].map(|value| Short(value as f32));
            write!(f, "{:8}  {:name$}  {:kind$}", row.phase.name(), row.name, row.kind)?;
            write!(f, "  {min:>10}  {max:>10}  {mean:>10}  {rms:>10}  {zeros:>7.1}")?;
            match row.remarks().join(", ") {
                none if none.is_empty() => writeln!(f)?,
                remarks => writeln!(f, "  {remarks}")?,
            }
        }
        Ok(())
    }
}
