//! The record of runs as a table.

use std::fmt;
use std::time::Duration;

use super::{Phase, Track};

/// What operations took, those that took longest first ([`Profile::table`](super::Profile::table)).
///
/// Its text is a table with the shares of the whole time in per cent, and below it what ran outside
/// of operations.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Row>,
    /// Runs of functions.
    runs: u64,
    /// Steps of optimizers.
    steps: u64,
    inside: Duration,
    between: Duration,
    events_left_out: usize,
}

/// An operation of a model. Operations of one function that have the same phase, name and kind are
/// one row, and so are those of several functions of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The part of a training step that it belongs to.
    pub phase: Phase,
    /// Its name in the model, behind the names of the models around it: `encoder.blocks.3.fc1`.
    /// Fused operations have the names of all: `bn1 + relu`. When several models were run, theirs
    /// come first.
    pub name: String,
    /// What is computed: `conv2d.weight_grad`, `matmul.nt + add + relu`.
    pub kind: String,
    /// How often it ran.
    pub calls: u64,
    /// How long it took, all calls together.
    pub time: Duration,
    /// The floating-point operations of all calls.
    pub flops: u64,
    /// The bytes that all calls read and wrote.
    pub bytes: u64,
}

impl Table {
    pub(super) fn new(tracks: &[Track]) -> Self {
        let sites = || tracks.iter().flat_map(|track| &track.sites).filter(|site| site.calls > 0);
        let mut models = sites().map(|site| site.model).filter(|model| !model.is_empty());
        let first = models.next();
        let several = models.any(|model| Some(model) != first);
        let mut rows: Vec<Row> = Vec::new();
        for site in sites() {
            let whole = !several || site.model.is_empty() || site.name.contains("::");
            let name = match whole {
                true => site.name.clone(),
                false => format!("{}.{}", site.model, site.name),
            };
            let same =
                |row: &Row| row.phase == site.phase && row.name == name && row.kind == site.kind;
            let at = rows.iter().position(same).unwrap_or_else(|| {
                let (phase, kind, time) = (site.phase, site.kind.clone(), Duration::ZERO);
                rows.push(Row { phase, name, kind, calls: 0, time, flops: 0, bytes: 0 });
                rows.len() - 1
            });
            let row = &mut rows[at];
            row.calls += site.calls;
            row.time += site.time;
            row.flops += site.flops;
            row.bytes += site.bytes;
        }
        // Few rows: the library's sort would add 8 kB to every program.
        for first in 0..rows.len() {
            let longest = (first..rows.len()).max_by_key(|row| rows[*row].time);
            rows.swap(first, longest.unwrap_or(first));
        }
        Self {
            rows,
            runs: tracks.iter().map(|track| track.runs).sum(),
            steps: tracks.iter().map(|track| track.steps).sum(),
            inside: tracks.iter().map(|track| track.inside).sum(),
            between: tracks.iter().map(|track| track.whole().saturating_sub(track.inside)).sum(),
            events_left_out: tracks.iter().map(|track| track.events_left_out).sum(),
        }
    }

    /// The operations.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The time of all runs and optimizer steps.
    pub fn total(&self) -> Duration {
        self.inside
    }

    /// What of [`total`](Self::total) is not in any row.
    pub fn outside(&self) -> Duration {
        self.inside.saturating_sub(self.rows.iter().map(|row| row.time).sum())
    }

    /// What passed between runs, from the first to the last on each thread.
    pub fn between(&self) -> Duration {
        self.between
    }
}

impl Row {
    /// Floating-point operations per nanosecond; none when there are none.
    pub fn gflops_per_second(&self) -> Option<f64> {
        rate(self.flops, self.time)
    }

    /// Bytes per nanosecond; none when there are none.
    pub fn gbytes_per_second(&self) -> Option<f64> {
        rate(self.bytes, self.time)
    }
}

fn rate(amount: u64, time: Duration) -> Option<f64> {
    (amount > 0 && !time.is_zero()).then(|| amount as f64 / (time.as_secs_f64() * 1e9))
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = |of: fn(&Row) -> &str, head: &str| {
            self.rows.iter().map(|row| of(row).chars().count()).fold(head.len(), usize::max)
        };
        let (op, kind) = (widest(|row| &row.name, "operation"), widest(|row| &row.kind, "kind"));
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        let share = |time: Duration| match self.inside {
            Duration::ZERO => 0.0,
            inside => 100.0 * time.as_secs_f64() / inside.as_secs_f64(),
        };
        writeln!(
            f,
            "{:8}  {:op$}  {:kind$}  {:>7}  {:>10}  {:>5}  {:>9}  {:>8}  {:>7}",
            "phase", "operation", "kind", "calls", "total ms", "%", "mean us", "GFLOP/s", "GB/s"
        )?;
        for row in &self.rows {
            write!(
                f,
                "{:8}  {:op$}  {:kind$}  {:>7}  {:>10.3}  {:>5.1}  {:>9.2}",
                row.phase.name(),
                row.name,
                row.kind,
                row.calls,
                milliseconds(row.time),
                share(row.time),
                milliseconds(row.time) * 1e3 / row.calls as f64,
            )?;
            for (rate, width) in [(row.gflops_per_second(), 8), (row.gbytes_per_second(), 7)] {
                match rate {
                    Some(rate) => write!(f, "  {rate:width$.1}")?,
                    None => write!(f, "  {:>width$}", "-")?,
                }
            }
            writeln!(f)?;
        }
        let names = 8 + 2 + op + 2 + kind + 2 + 7;
        let total = format!("total of {} runs and {} optimizer steps", self.runs, self.steps);
        for (name, time) in [("outside of operations", self.outside()), (&total, self.inside)] {
            let (time, share) = (milliseconds(time), share(time));
            writeln!(f, "{name:names$}  {time:>10.3}  {share:>5.1}")?;
        }
        writeln!(f, "{:names$}  {:>10.3}", "between them", milliseconds(self.between))?;
        match self.events_left_out {
            0 => Ok(()),
            count => {
                writeln!(f, "{count} slices are counted here, but not in the trace: it is full")
            }
        }
    }
}
