//! Timing, and a line for each measurement.

use std::time::{Duration, Instant};

use crate::args::Args;

const WARM_UP: Duration = Duration::from_millis(600);
const MEASURED: Duration = Duration::from_millis(1300);

/// Which workloads to time, and how to print them.
pub struct Report {
    pub threads: usize,
    json: bool,
    only: Vec<String>,
}

/// Microseconds of a step.
#[derive(Clone, Copy)]
pub struct Times {
    pub median: f64,
    pub min: f64,
    pub p90: f64,
    pub steps: usize,
}

impl Report {
    pub fn from_args() -> Self {
        let Args { threads, json, only } = Args::parse();
        Self { threads, json, only }
    }

    pub fn wants(&self, workload: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == workload)
    }

    /// Times `step` and prints the line of `workload`, when it is wanted.
    pub fn run(&self, workload: &str, contestant: &str, step: impl FnMut()) {
        if !self.wants(workload) {
            return;
        }
        let Times { median, min, p90, steps } = time(step);
        if self.json {
            let threads = self.threads;
            println!(
                "{{\"workload\": \"{workload}\", \"contestant\": \"{contestant}\", \
                 \"threads\": {threads}, \"median_us\": {median:.4}, \"min_us\": {min:.4}, \
                 \"p90_us\": {p90:.4}, \"iters\": {steps}}}"
            );
        } else {
            println!("{workload:22} {contestant:14} {median:12.3} µs  ({min:.3} to {p90:.3})");
        }
    }
}

/// Times `step` in samples of at least 20 µs, so that reading the clock does not count.
fn time(mut step: impl FnMut()) -> Times {
    let (start, mut calls) = (Instant::now(), 0_u32);
    while calls < 3 || start.elapsed() < WARM_UP {
        step();
        calls += 1;
    }
    let each = start.elapsed().as_secs_f64() / f64::from(calls);
    let group = (20e-6 / each).ceil().max(1.0) as usize;
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < 9 || start.elapsed() < MEASURED {
        let before = Instant::now();
        (0..group).for_each(|_| step());
        times.push(before.elapsed().as_secs_f64() * 1e6 / group as f64);
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Times { median: at(0.5), min: times[0], p90: at(0.9), steps: times.len() * group }
}
