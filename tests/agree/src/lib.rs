//! Random models over the whole vocabulary. Each is interpreted in `f64` behind every pass of the
//! compiler, and compiled by rustc and run: all must give the same numbers.
//!
//! The interpreter knows operations by their references alone, and nothing of how they are
//! differentiated, fused, planned or emitted. `scripts/agree.sh` runs for as long as it is told.

pub mod array;
pub mod batch;
pub mod calls;
pub mod emitted;
pub mod generate;
pub mod inputs;
pub mod interpret;
pub mod known;
pub mod library;
pub mod mutants;
pub mod passes;
pub mod plans;
pub mod program;
pub mod random;
pub mod shrink;
