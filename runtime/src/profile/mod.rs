//! Where the time of runs goes: time, floating-point operations and bytes of each operation.
//!
//! A [`Profile`] records the runs of the devices that it was given to
//! ([`Cpu::with_profile`](crate::device::Cpu::with_profile)). `GRADIRON_PROFILE` does the same for
//! a whole process without a change of its code:
//!
//! | `GRADIRON_PROFILE` | |
//! |---|---|
//! | not set, or `0` | nothing is recorded |
//! | `1` | a table on standard error |
//! | `path.json` | a trace in that file, for Perfetto or `chrome://tracing` |
//!
//! Both are about all that the process has run so far, and come whenever its last workspace (or
//! [`Cpu`](crate::device::Cpu)) is dropped: at the end of `main`, in most programs. Where nothing
//! is dropped, after `std::process::exit` or an abort, nothing comes.
//!
//! # What is counted
//!
//! - Time: of the wall clock, on the thread that makes the call, from the start of an operation to
//!   its end; on a GPU (`Cuda::with_profile`) of the GPU's. Operations
//!   that were fused are one, under the names of all of them.
//! - A run on a GPU that is recorded is launched operation by operation, and waited for. The whole
//!   takes longer than its graph, and an operation that is shorter than a launch, some
//!   microseconds, looks as long as one.
//! - Floating-point operations: those of the definition. A convolution has as many with Winograd's
//!   algorithm as without.
//! - Bytes: each input read once, each output written once, wherever they lie, four for each value,
//!   also where a GPU stores two. What is in cache can so be faster than memory.
//! - A small function that was compiled as one piece is one row, `one piece`.
//! - What is outside of operations: in a run, mostly the recording itself, about 0.1 µs an
//!   operation; between runs, everything that the program does there.
//!
//! ```
//! use gradiron::prelude::*;
//!
//! model! {
//!     struct Mlp {
//!         fc1: Linear(784 -> 128),
//!         fc2: Linear(128 -> 10),
//!     }
//!
//!     fn forward(&self, x: [batch, 784]) -> [batch, 10] {
//!         self.fc2(self.fc1(x).relu())
//!     }
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let profile = Profile::new();
//!     let net = Mlp::init(Seed(0));
//!     let mut ws = Mlp::workspace_on(Cpu::new().with_profile(&profile), 64)?;
//!     net.forward(&mut ws, &[[0.5; 784]; 64])?;
//!     let table = profile.table();
//!     println!("{table}");
//!     assert!(table.rows().iter().any(|row| row.name == "fc1 + relu" && row.calls == 1));
//!     Ok(())
//! }
//! ```

mod table;
mod trace;
mod track;
mod variable;

use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use table::{Row, Table};
pub(crate) use track::Track;
use variable::Destination;
pub(crate) use variable::from_environment;

use crate::arena::Sizes;
use crate::files::SaveError;

/// A record of runs. Clones are the same record.
#[derive(Clone)]
pub struct Profile {
    record: Arc<Record>,
}

struct Record {
    tracks: Mutex<Vec<Track>>,
    /// Whether a trace will be asked for.
    keeps_events: bool,
    /// Where the record goes when the last device that has it is dropped.
    destination: Option<Destination>,
}

impl Profile {
    /// An empty record.
    ///
    /// # Panics
    /// On `wasm32-unknown-unknown`, where there is no clock; the compiler warns there.
    #[cfg_attr(
        all(target_family = "wasm", target_os = "unknown"),
        deprecated = "a profile panics on wasm32-unknown-unknown, which has no clock: wasm32-wasip1 has one"
    )]
    pub fn new() -> Self {
        Self::with(Vec::new(), None)
    }

    fn with(tracks: Vec<Track>, destination: Option<Destination>) -> Self {
        let keeps_events = !matches!(destination, Some(Destination::StandardError));
        LazyLock::force(&track::ORIGIN);
        let tracks = Mutex::new(tracks);
        Self { record: Arc::new(Record { tracks, keeps_events, destination }) }
    }

    /// What was recorded so far, by operation; runs that are under way are not in it.
    pub fn table(&self) -> Table {
        Table::new(&self.record.tracks())
    }

    /// Writes what was recorded so far as a trace in the JSON of Chrome's trace events, which
    /// <https://ui.perfetto.dev> and `chrome://tracing` show: a slice for each run, in it those of
    /// its passes, models and operations. A trace has the first half million slices of each thread.
    ///
    /// A file that is there already is replaced when the new one is whole.
    ///
    /// # Errors
    /// When the folder is missing, the disk full, or the path leads to something that is no file
    /// or read-only.
    pub fn write_trace(&self, path: impl AsRef<Path>) -> Result<(), SaveError> {
        trace::write(&self.record.tracks(), path.as_ref())
    }

    /// Forgets what was recorded so far, the first steps for instance, in which memory is touched
    /// for the first time.
    pub fn clear(&self) {
        self.record.tracks().clear();
    }

    /// The track of this thread, until it is given back.
    pub(crate) fn take_track(&self) -> Track {
        let thread = std::thread::current();
        let mut tracks = self.record.tracks();
        match tracks.iter().position(|track| track.thread == thread.id()) {
            Some(at) => tracks.swap_remove(at),
            None => Track::new(&thread, self.record.keeps_events),
        }
    }

    pub(crate) fn give_back(&self, track: Track) {
        self.record.tracks().push(track);
    }

    /// Adds a step of an optimizer that ends now.
    #[cold]
    #[inline(never)]
    pub(crate) fn optimizer_step(&self, name: &'static str, start: Instant, cost: Cost) {
        let time = start.elapsed();
        let mut track = self.take_track();
        track.add_step(name, Timed { start, time }, cost);
        self.give_back(track);
    }
}

impl Default for Profile {
    #[cfg_attr(all(target_family = "wasm", target_os = "unknown"), expect(deprecated))]
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Profile")
    }
}

impl Record {
    fn tracks(&self) -> MutexGuard<'_, Vec<Track>> {
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which part of a training step an operation belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// What inference does once for each version of the parameters.
    Prepare,
    /// The forward pass, and all of inference.
    Forward,
    /// The backward pass.
    Backward,
    /// Forward and backward, in a small function that is one piece.
    Both,
    /// The optimizer.
    Step,
}

impl Phase {
    /// As tables and traces call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Forward => "forward",
            Self::Backward => "backward",
            Self::Both => "both",
            Self::Step => "step",
        }
    }
}

/// What an operation needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    pub flops: usize,
    pub bytes: usize,
}

/// When something ran.
#[derive(Clone, Copy)]
pub(crate) struct Timed {
    pub start: Instant,
    pub time: Duration,
}

/// The operations of a pass. Made by `model!`.
#[doc(hidden)]
#[derive(Debug)]
pub struct PassOps {
    pub phase: Phase,
    /// In their order, a line each, with tabs between its parts ([`Line`]).
    pub text: &'static str,
    /// The file of the model.
    pub file: &'static str,
    /// Appends floating-point operations and bytes of each. Those that only the gradients of the
    /// arguments need are 0 unless `want_inputs`.
    pub costs: fn(n: Sizes, want_inputs: bool, out: &mut Vec<[usize; 2]>),
}

/// What is known of an operation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Line<'a> {
    /// `fc1 + relu`
    pub name: &'a str,
    /// `matmul.nt + add + relu`
    pub kind: &'a str,
    /// Line and column of each step: `12:17 12:25`
    places: &'a str,
    /// The shapes of its results, with run-time sizes by number and `?` for what only a constant
    /// says: `$0 128;$0 ?`, or `-` for none
    shapes: &'a str,
}

impl Line<'_> {
    /// Line and column of each step.
    pub fn places(&self) -> Vec<[usize; 2]> {
        let places = self.places.split_whitespace().filter_map(|place| {
            let (line, column) = place.split_once(':')?;
            Some([line.parse().ok()?, column.parse().ok()?])
        });
        places.collect()
    }

    /// The sizes of the results, as far as they are known.
    pub fn shapes(&self, n: Sizes) -> Vec<Vec<Option<usize>>> {
        let size = |text: &str| match text.strip_prefix('$') {
            Some(at) => n.get(at.parse::<usize>().ok()?).copied(),
            None => text.parse().ok(),
        };
        let shapes = self.shapes.split(';').filter(|shape| *shape != "-");
        shapes.map(|shape| shape.split_whitespace().map(size).collect()).collect()
    }
}

impl PassOps {
    /// The operation `number`.
    pub(crate) fn line(&self, number: usize) -> Line<'static> {
        let mut parts = self.text.lines().nth(number).unwrap_or_default().split('\t');
        let mut part = || parts.next().unwrap_or_default();
        Line { name: part(), kind: part(), places: part(), shapes: part() }
    }

    /// The sum over all operations.
    pub(crate) fn flops(&self, n: Sizes, want_inputs: bool) -> usize {
        let mut costs = Vec::new();
        (self.costs)(n, want_inputs, &mut costs);
        costs.iter().fold(0, |sum, [flops, _]| crate::arena::plus(sum, *flops))
    }
}
