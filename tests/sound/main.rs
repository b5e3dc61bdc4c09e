//! Every room and some models at sizes that an interpreter of Rust runs: `scripts/miri.sh` looks
//! for undefined behaviour in them, `scripts/sanitize.sh` for races. And every kernel with sizes
//! that are none, which must panic and say what is wrong, in programs of any kind.
//!
//! What kernels compute is compared in `tests/ops`; here results are those of one thread, finite,
//! and nothing is written beside them.

mod algorithms;
mod calls;
mod hostile;
mod models;
mod rooms;
mod run;
