//! Running kernels and comparing their results.
//!
//! # Tolerances
//!
//! With `ε = 2^-24`, half the distance from 1 to the next `f32`, every operation has a relative
//! error of at most `ε`. A sum of `n` products in any order is then off by at most
//! `n·ε / (1 − n·ε) · Σ|a||b|` (N. Higham, Accuracy and Stability of Numerical Algorithms, §3.1),
//! for which tests use `(n + c)·ε · Σ|a||b|`, `c` counting the operations on the sum itself. They
//! get `Σ|a||b|` from the reference, run on absolute values. A function with an error of `u` ulp
//! counts as `2u` operations. Results below the normal range are off by [`TINY`] at most.
//!
//! Central differences of step `h` are off by `h²/6 · |f‴|` and, in `f64`, `2^-52 · |f| / h`: with
//! `h = 2^-14` and third derivatives of order 1, below `1e-8 · (1 + |f|)`.

use std::sync::OnceLock;

use gradiron::device::Storage;
use gradiron::device::{Buf, Cpu, Device, Kernels, Precision, Region, Run, RunKey, RunMemory};
use gradiron::math::{SimdLevel, simd_levels};
use gradiron::profile::Phase;

use crate::any::AnyKernels;

pub const EPSILON: f64 = 1.0 / 16_777_216.0;
pub const TINY: f64 = 1e-37;

/// Sizes around register widths, block lengths and oddities.
pub const SIZES: [usize; 7] = [1, 2, 3, 7, 17, 64, 65];

/// `[outer, size, inner]`: an axis, and what is before and behind it.
pub const AXES: [[usize; 3]; 6] =
    [[1, 1, 1], [1, 70, 1], [3, 5, 4], [130, 7, 3], [2, 300, 33], [5, 1, 9]];

/// A stream of numbers (G. Steele, D. Lea, C. Flood, SplitMix, 2014).
pub struct Rng(pub u64);

impl Rng {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Numbers in `[-1, 1)`, exact in `f32`.
    pub fn floats(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0).collect()
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    pub fn labels(&mut self, len: usize, classes: usize) -> Vec<u32> {
        (0..len).map(|_| self.below(classes) as u32).collect()
    }
}

pub fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

pub fn abs(x: &[f64]) -> Vec<f64> {
    x.iter().map(|x| x.abs()).collect()
}

/// Every instruction set, each with one, two and three threads.
fn devices() -> &'static [(SimdLevel, [Cpu; 3])] {
    static DEVICES: OnceLock<Vec<(SimdLevel, [Cpu; 3])>> = OnceLock::new();
    DEVICES.get_or_init(|| {
        let cpus = [1, 2, 3].map(Cpu::with_threads);
        let with = |level| (level, cpus.clone().map(|cpu| cpu.with_simd(level)));
        simd_levels().into_iter().map(with).collect()
    })
}

/// A kernel call for kernels of any kind: a type, since closures are not generic.
pub trait KernelCall {
    fn call<K: Kernels>(&self, k: &mut K, outputs: &[Buf], inputs: &[Buf]);
}

/// A call on the kernels of small passes.
struct Tiny<'a, C> {
    call: &'a C,
    outputs: &'a [Buf],
    inputs: &'a [Buf],
}

impl<C: KernelCall> Run for Tiny<'_, C> {
    const MAY_BE_TINY: bool = true;
    const NAME: &'static str = "kernel";
    const PHASE: Phase = Phase::Forward;

    fn key(&self) -> Option<RunKey> {
        None
    }

    fn is_tiny(&self) -> bool {
        true
    }

    fn flops(&self) -> usize {
        0
    }

    #[inline(always)]
    fn run<K: Kernels>(self, k: &mut K) {
        self.call.call(k, self.outputs, self.inputs);
    }
}

/// A kernel call: lengths of outputs, inputs, class indices, floats of scratch.
pub struct Call<'a> {
    pub outputs: &'a [usize],
    pub inputs: &'a [&'a [f32]],
    pub indices: &'a [u32],
    pub scratch: usize,
}

impl Call<'_> {
    /// Runs the call on every device, outputs and scratch poisoned with NaN, and gives the outputs
    /// of each instruction set to `check`.
    pub fn run(
        &self,
        kernel: impl Fn(&mut AnyKernels<'_>, &[Buf], &[Buf], Buf),
        check: impl Fn(&str, &[Vec<f32>]),
    ) {
        self.run_in(Precision::F32, kernel, check);
    }

    /// [`run`](Self::run) in a precision.
    pub fn run_in(
        &self,
        precision: Precision,
        kernel: impl Fn(&mut AnyKernels<'_>, &[Buf], &[Buf], Buf),
        check: impl Fn(&str, &[Vec<f32>]),
    ) {
        for (level, cpus) in devices() {
            let results = cpus
                .each_ref()
                .map(|cpu| self.run_on(&cpu.clone().with_precision(precision), &kernel));
            for (threads, result) in results.iter().enumerate().skip(1) {
                assert!(
                    bits(result) == bits(&results[0]),
                    "{level:?}: {} threads change the result",
                    threads + 1
                );
            }
            check(&format!("{level:?}"), &results[0]);
        }
        #[cfg(feature = "cuda")]
        crate::cuda::run(self, precision, &kernel, &check);
    }

    /// The same on the kernels of small passes.
    pub fn run_tiny(&self, call: impl KernelCall, check: impl Fn(&str, &[Vec<f32>])) {
        for (level, cpus) in devices() {
            let on = |cpu: &Cpu, memory: RunMemory<'_, Cpu>, y: &[Buf], x: &[Buf], _: Buf| {
                let run = Tiny { call: &call, outputs: y, inputs: x };
                cpu.run(memory, run).expect("a processor does not fail");
            };
            check(&format!("tiny {level:?}"), &self.run_with(&cpus[0], on));
        }
    }

    /// Runs the call on one device.
    pub fn run_on(
        &self,
        cpu: &Cpu,
        kernel: &impl Fn(&mut AnyKernels<'_>, &[Buf], &[Buf], Buf),
    ) -> Vec<Vec<f32>> {
        self.run_with(cpu, |cpu, memory, y, x, s| {
            kernel(&mut AnyKernels::First(cpu.step(memory)), y, x, s);
        })
    }

    fn run_with(
        &self,
        cpu: &Cpu,
        run: impl Fn(&Cpu, RunMemory<'_, Cpu>, &[Buf], &[Buf], Buf),
    ) -> Vec<Vec<f32>> {
        let Laid { outputs, inputs, scratch, end } = self.lay(ODD);
        let mut arena = Storage::zeros(end);
        arena.as_mut_slice().fill(f32::NAN);
        let memory = RunMemory {
            params: &Storage::zeros(0),
            grads: &mut Storage::zeros(0),
            arena: &mut arena,
            cache: None,
            prepared: None,
            random: Default::default(),
            inputs: self.inputs,
            indices: self.indices,
        };
        run(cpu, memory, &outputs, &inputs, scratch);
        outputs_of(arena.as_slice(), &outputs, scratch)
    }

    /// The same on a GPU, where values are halves: the outputs and inputs of these numbers. Results
    /// are those of floats that hold the same numbers, rounded once, but for a share `slack` of the
    /// largest: sums of another order, and what was rounded between two kernels.
    #[cfg_attr(not(feature = "cuda"), expect(unused_variables))]
    pub fn run_halves(
        &self,
        [outputs, inputs]: [&[usize]; 2],
        slack: f64,
        kernel: impl Fn(&mut AnyKernels<'_>, &[Buf], &[Buf], Buf),
    ) {
        #[cfg(feature = "cuda")]
        crate::cuda::run_halves(self, [outputs, inputs], slack, &kernel);
    }

    /// Where outputs, scratch memory and inputs lie.
    pub fn lay(&self, gap: usize) -> Laid {
        let mut end = gap;
        let mut place = |len: usize| {
            let buf = Buf::new(Region::Arena, end, len);
            end += len + GAP;
            end = if gap == ODD { end | 1 } else { end.next_multiple_of(gap) };
            buf
        };
        let outputs: Vec<Buf> = self.outputs.iter().map(|&len| place(len)).collect();
        let scratch = place(self.scratch);
        let inputs = (0_u8..)
            .zip(self.inputs)
            .map(|(i, x)| Buf::new(Region::Input(i), 0, x.len()))
            .collect();
        Laid { outputs, inputs, scratch, end }
    }
}

/// The part of `len` floats that starts at a multiple of eight of them, where kernels may move some
/// at once; `buf` has seven more.
pub fn aligned(buf: Buf, len: usize) -> Buf {
    buf.part(buf.start.next_multiple_of(8) - buf.start, len)
}

/// Floats between ranges, at least: a write beside a range is seen.
const GAP: usize = 19;
/// Where ranges start: at odd places, or where vectors of any kernel may.
pub const ODD: usize = GAP;
#[cfg(feature = "cuda")]
pub const ALIGNED: usize = 64;

/// Where a call finds its memory.
pub struct Laid {
    pub outputs: Vec<Buf>,
    pub inputs: Vec<Buf>,
    pub scratch: Buf,
    /// The floats of the arena.
    pub end: usize,
}

/// The outputs, when nothing was written beside them.
pub fn outputs_of(arena: &[f32], outputs: &[Buf], scratch: Buf) -> Vec<Vec<f32>> {
    for buf in outputs.iter().chain([&scratch]) {
        let gap = &arena[buf.start + buf.len..][..GAP];
        assert!(gap.iter().all(|x| x.is_nan()), "a kernel wrote behind its range");
    }
    outputs.iter().map(|buf| arena[buf.start..][..buf.len].to_vec()).collect()
}

/// The bits of a number. WebAssembly leaves those of NaN open, and they change when its engine
/// compiles a function once more: there every NaN is one.
fn bits_of(x: f32) -> u32 {
    if cfg!(target_family = "wasm") && x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() }
}

fn bits(outputs: &[Vec<f32>]) -> Vec<u32> {
    outputs.iter().flatten().map(|&x| bits_of(x)).collect()
}

/// Whether two results have the same bits.
pub fn same(a: &[f32], b: &[f32]) -> bool {
    a.iter().zip(b).all(|(&a, &b)| bits_of(a) == bits_of(b))
}

/// Checks `|got − want| <= bound`, element by element; NaN and infinities must be the same.
pub fn assert_close(name: &str, got: &[f32], want: &[f64], bound: impl Fn(usize) -> f64) {
    assert_eq!(got.len(), want.len(), "{name}");
    for (i, (&got, &want)) in got.iter().zip(want).enumerate() {
        let same = if want.is_finite() {
            (f64::from(got) - want).abs() <= bound(i) + TINY
        } else {
            f64::from(got) == want || (got.is_nan() && want.is_nan())
        };
        assert!(same, "{name}: element {i} is {got:e}, not {want:e} ± {:e}", bound(i));
    }
}

/// Checks `gradient` of `f` at `x` against central differences, for up to 40 coordinates.
pub fn assert_gradient(name: &str, x: &[f64], gradient: &[f64], f: impl Fn(&[f64]) -> f64) {
    const STEP: f64 = 1.0 / 16_384.0;
    let mut x = x.to_vec();
    let value = f(&x).abs();
    for i in (0..x.len()).step_by(x.len().div_ceil(40).max(1)) {
        let middle = x[i];
        x[i] = middle + STEP;
        let above = f(&x);
        x[i] = middle - STEP;
        let below = f(&x);
        x[i] = middle;
        let difference = (above - below) / (2.0 * STEP);
        let error = (difference - gradient[i]).abs();
        assert!(
            error <= 1e-8 * (1.0 + value),
            "{name}: derivative {i} is {}, not {difference}",
            gradient[i]
        );
    }
}

/// `Σ a·b`: the weighted sum of outputs that gradients are taken of.
pub fn weighted(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
