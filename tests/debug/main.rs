//! What finds the cause of a bad loss: checks, statistics, comparisons, checks of gradients.

mod checks;
mod compare;
mod gradients;
mod observers;
mod trace;

/// What tests give.
type Outcome = Result<(), Box<dyn std::error::Error>>;
