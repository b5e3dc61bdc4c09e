//! Timing, data and the line of JSON that each measurement prints.

use std::time::{Duration, Instant};

/// A rate that hardly changes the parameters: the measured arithmetic is the same, and gradients do
/// not vanish, which subnormal numbers would make slow.
pub const LEARNING_RATE: f64 = 1e-7;

const WARM_UP: Duration = Duration::from_millis(600);
const MEASURED: Duration = Duration::from_millis(1300);

/// What one process measures: the workloads named on its command line, all when none is.
pub struct Report {
    contestant: &'static str,
    pub threads: usize,
    only: Vec<String>,
}

impl Report {
    /// `RAYON_NUM_THREADS` gives the number of threads, 2 when it is unset.
    pub fn new(contestant: &'static str) -> Report {
        let threads = std::env::var("RAYON_NUM_THREADS").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
        // Cargo and its peers add flags of their own.
        let only = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
        Report { contestant, threads, only }
    }

    pub fn wants(&self, workload: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == workload)
    }

    /// Times `step` when its workload is wanted.
    pub fn run(&self, workload: &str, step: impl FnMut()) {
        self.run_as(self.contestant, workload, step);
    }

    /// The same for one of several contestants of a process.
    pub fn run_as(&self, contestant: &str, workload: &str, mut step: impl FnMut()) {
        if !self.wants(workload) {
            return;
        }
        let (start, mut calls) = (Instant::now(), 0_u32);
        while calls < 3 || start.elapsed() < WARM_UP {
            step();
            calls += 1;
        }
        // Samples of 20 µs or more, so that reading the clock does not count.
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
        println!(
            "{{\"workload\": \"{workload}\", \"contestant\": \"{contestant}\", \"threads\": {}, \
             \"median_us\": {:.3}, \"min_us\": {:.3}, \"p90_us\": {:.3}, \"iters\": {}}}",
            self.threads,
            at(0.5),
            times[0],
            at(0.9),
            times.len() * group
        );
    }
}

/// A generator of data (Knuth's MMIX), so that no peer needs a crate for it.
pub struct Lcg(u64);

impl Lcg {
    pub fn new(seed: u64) -> Lcg {
        Lcg(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    /// Uniform in [-1, 1).
    pub fn floats(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.next() as f32 / (1_u64 << 30) as f32 - 1.0).collect()
    }

    pub fn below(&mut self, n: usize, classes: u32) -> Vec<u32> {
        (0..n).map(|_| self.next() % classes).collect()
    }
}
