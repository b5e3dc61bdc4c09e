//! Times a kernel and holds it against the limits of the machine, measured in the same run.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use gradiron::device::Storage;
use gradiron::device::{Buf, Cpu, CpuKernels, Device, Region, RunMemory};

use crate::args::Args;
use crate::limits::{bf16_dots, copies, multiply_adds};

/// The floats from the start of an operand to that of the next.
const ROOM: usize = 512 * 10_000;

const MEASURED: Duration = Duration::from_millis(250);

/// The part of the arena for the n-th operand.
pub fn operand(n: usize, len: usize) -> Buf {
    Buf::new(Region::Arena, n * ROOM, len)
}

/// What a kernel must do at least.
#[derive(Clone, Copy)]
pub struct Work {
    /// Multiplications and additions of the definition; zero where only memory counts.
    pub flops: usize,
    /// Floats of the inputs and outputs, each counted once.
    pub floats: usize,
}

impl Work {
    /// Work that only memory bounds.
    pub fn floats(floats: usize) -> Self {
        Self { flops: 0, floats }
    }
}

pub struct Bench {
    cpu: Cpu,
    args: Args,
    arena: Storage,
    /// GFLOP/s of multiply-adds in `f32`, and of dot products in bf16 where the processor has them.
    peak: [f64; 2],
    /// GB/s of copies, by the bytes that they read and write.
    copies: BTreeMap<usize, f64>,
}

impl Bench {
    pub fn new(args: Args) -> Self {
        let cpu = Cpu::with_threads(args.threads);
        let f32 = multiply_adds(args.threads);
        let bf16 = bf16_dots(args.threads).unwrap_or(f32);
        println!("{cpu:?}: at most {f32:.0} GFLOP/s in f32, {bf16:.0} in bf16");
        let mut arena = Storage::zeros(8 * ROOM);
        let floats = arena.as_mut_slice().iter_mut().enumerate();
        floats.for_each(|(i, x)| *x = (i % 17) as f32 * 0.1 - 0.8);
        Self { cpu, args, arena, peak: [f32, bf16], copies: BTreeMap::new() }
    }

    /// Runs `benches` on a device that is changed for them.
    pub fn with_cpu(&mut self, change: impl Fn(Cpu) -> Cpu, benches: impl Fn(&mut Self)) {
        let cpu = self.cpu.clone();
        self.cpu = change(cpu.clone());
        benches(self);
        self.cpu = cpu;
    }

    /// Prints the median time of `kernel`, its rates, and the share of the median that the machine
    /// would need at its limit: the arithmetic at the peak of multiply-adds or the bytes at the
    /// speed of a copy of as many, whichever takes longer (the roofline).
    pub fn time(&mut self, name: &str, work: Work, kernel: impl Fn(&mut CpuKernels<'_>)) {
        let only = &self.args.only;
        if !only.is_empty() && !only.iter().any(|part| name.contains(part)) {
            return;
        }
        let (params, mut grads) = (Storage::zeros(0), Storage::zeros(0));
        let begin = Instant::now();
        let mut times: Vec<f64> = (0..200)
            .take_while(|&i| i < 10 || begin.elapsed() < MEASURED)
            .map(|_| {
                let mut step = self.cpu.step(RunMemory {
                    params: &params,
                    grads: &mut grads,
                    arena: &mut self.arena,
                    cache: None,
                    prepared: None,
                    random: Default::default(),
                    inputs: &[],
                    indices: &[3; 512],
                });
                let start = Instant::now();
                kernel(&mut step);
                start.elapsed().as_secs_f64()
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let (median, best) = (times[times.len() / 2], times[0]);

        let (flops, bytes) = (work.flops as f64 * 1e-9, 4e-9 * work.floats as f64);
        let peak = self.peak[usize::from(self.cpu.target().are_halves_between())];
        let (arithmetic, memory) = (flops / peak, bytes / self.copy_rate(4 * work.floats));
        let bound = if arithmetic > memory { "arithmetic" } else { "memory" };
        let share = 100.0 * arithmetic.max(memory) / median;
        let (flops, bytes) = (flops / median, bytes / median);
        println!(
            "{name:44} {:10.2} µs (best {:10.2}) {flops:7.1} GFLOP/s {bytes:6.1} GB/s {share:4.0} % of {bound}",
            median * 1e6,
            best * 1e6,
        );
    }

    /// The GB/s of a copy that reads and writes about as many bytes.
    fn copy_rate(&mut self, bytes: usize) -> f64 {
        let threads = self.args.threads;
        let bytes = bytes.next_power_of_two().clamp(8 << 10, 256 << 20);
        *self.copies.entry(bytes).or_insert_with(|| copies(threads, bytes / 4 / threads))
    }
}
