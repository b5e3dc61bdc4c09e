//! What to do when a loss is bad: [observers](Observer) of runs, and checks of gradients.
//!
//! | | |
//! |---|---|
//! | [`Cpu::with_checks`] | the first value that is not finite, as the error of the call |
//! | [`Statistics`] | ranges of all values and gradients, dead units, what is saturated |
//! | [`Comparison`] | where activations part from those of PyTorch |
//! | [`grad_check`] | gradients against differences of the loss |
//! | [`StepNorms`] | norms of gradients and of updates, by tensor |
//! | [`StepTrace`] | a run that failed a check, to run it again |
//! | [`Cpu::with_observer`] | any values, in a function of your own |
//!
//! `docs/debugging.md` leads from a bad loss to its cause.
//!
//! Observers see operations as a [profile](crate::profile) does: those that were fused are one,
//! under the names of all of them. A run that is observed takes the kernels for all sizes, one
//! operation after another, also where it would be compiled as one piece: its last bits may differ
//! from those of other runs. It allocates, and nothing is added to a profile. Nothing else changes:
//! models that nobody observes run as they would without this module.
//!
//! [`Cpu::with_checks`]: crate::device::Cpu::with_checks
//! [`Cpu::with_observer`]: crate::device::Cpu::with_observer

mod compare;
mod grad_check;
mod statistics;
mod step_norms;
mod step_trace;

pub use compare::{ActivationsError, Compared, Comparison, Distance};
pub use grad_check::{GradCheck, TensorCheck, grad_check};
pub use statistics::{Row, Statistics, Table};
pub use step_norms::{StepNorms, TensorNorms};
pub use step_trace::{StepTrace, StepTraceError};

pub use crate::observe::{Input, NotFinite, Observation, Observer, Output, Place, Range};
