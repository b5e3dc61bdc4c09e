//! Models on a GPU: the losses, gradients and parameters of the CPU, in graphs that allocate
//! nothing and wait for nothing. Single operations are in `tests/ops`, which runs on a GPU too with
//! this feature.
//!
//! Without a GPU the tests say that they are skipped; with `GRADIRON_REQUIRE_GPU` they fail then.
//! `scripts/emulate.sh` runs them without one.

mod assortment;
#[path = "../sound/calls/mod.rs"]
#[allow(dead_code)] // another test looks at what is computed
mod calls;
#[path = "../optim/cases.rs"]
mod cases;
mod constants;
mod derived;
mod errors;
mod failures;
mod kernels;
mod models;
mod optimizers;
mod scan;
mod steps;

use gradiron::prelude::*;

/// The GPU; a new device for each test, so that counts are its own.
fn gpu(test: &str) -> Option<Cuda> {
    match Cuda::new(0) {
        Ok(gpu) => Some(gpu),
        Err(error) if std::env::var_os("GRADIRON_REQUIRE_GPU").is_some() => panic!("{error}"),
        Err(error) => {
            // Past the capture of the test harness, which hides what passes.
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: {error}");
            None
        }
    }
}

/// Training steps of a run: as many as `GRADIRON_STEPS` says, an emulator is slow.
fn steps() -> usize {
    std::env::var("GRADIRON_STEPS").map_or(50, |text| text.parse().expect("a number of steps"))
}
