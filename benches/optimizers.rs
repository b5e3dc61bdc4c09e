//! Times a step of each optimizer: `cargo bench --bench optimizers [-- THREADS]`.
//!
//! GB/s counts each float that is read or written once.

use std::time::Instant;

use gradiron::device::Storage;
use gradiron::device::{Host, Threads};
use gradiron::math::SimdLevel;
use gradiron::module::{Model, Module, ParamSpec};
use gradiron::optim::{Adam, Grads, HyperParamError, Optimizer, RMSprop, Sgd};

struct Weights;

impl Module for Weights {
    const PARAMS: usize = 0;

    fn describe(_: &str, _: usize, _: &mut Vec<ParamSpec>) {}
}

/// Parameters of any number.
struct Net(Storage);

impl Model for Net {
    type Module = Weights;

    fn params(&self) -> &[f32] {
        self.0.as_slice()
    }

    fn params_mut(&mut self) -> &mut [f32] {
        self.0.as_mut_slice()
    }
}

fn main() -> Result<(), HyperParamError> {
    let threads = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(2);
    println!("{threads} threads, µs per step: median (10 %, 90 %), GB/s");
    let threads = Threads::new(threads);
    for len in [2, 37, 1000, 101_770, 10_000_000] {
        let net = &mut Net(filled(len, |i| (i as f32 * 0.37).sin()));
        let sgd = Sgd::new(net, 1e-6)?;
        time("SGD", 3, net, sgd.clone(), &threads);
        time("SGD, momentum", 5, net, sgd.momentum(0.9)?, &threads);
        time("Adam", 7, net, Adam::new(net, 1e-6)?, &threads);
        time("RMSprop", 5, net, RMSprop::new(net, 1e-6)?, &threads);
    }
    Ok(())
}

fn filled(len: usize, f: impl Fn(usize) -> f32) -> Storage {
    let mut storage = Storage::zeros(len);
    storage.as_mut_slice().iter_mut().enumerate().for_each(|(i, x)| *x = f(i));
    storage
}

fn time(
    name: &str,
    moved: usize,
    net: &mut Net,
    mut optimizer: impl Optimizer<Net>,
    threads: &Threads,
) {
    let len = net.params().len();
    let grads = filled(len, |i| 0.01 * (i as f32 * 0.37).sin() + 1e-3);
    let grads =
        Grads::new(grads.as_slice(), &[], Some(Host { threads, level: SimdLevel::detect() }));
    // Steps between two looks at the clock.
    let steps = (20_000 / len).max(1);
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < 20 || start.elapsed().as_millis() < 300 {
        let before = Instant::now();
        (0..steps).for_each(|_| optimizer.step(net, grads));
        times.push(before.elapsed().as_secs_f64() * 1e6 / steps as f64);
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[(share * (times.len() - 1) as f64) as usize];
    let rate = (4 * moved * len) as f64 / at(0.5) / 1e3;
    println!("{name:14} {len:9} {:10.3} ({:.3}, {:.3}) {rate:6.1}", at(0.5), at(0.1), at(0.9));
}
