//! The calls of all tests on a GPU, where there is one.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use gradiron::device::{Buf, Cuda, Device, DeviceError, Element, Precision, Region, StepMemory};
use gradiron::storage::Storage;

use crate::any::AnyStep;
use crate::harness::{ALIGNED, Call, Laid, ODD, assert_close, outputs_of};

/// The GPU. Where there is none, tests say so once and go on; with `GRADIRON_REQUIRE_GPU` they fail.
fn gpu() -> Option<&'static Cuda> {
    static GPU: OnceLock<Option<Cuda>> = OnceLock::new();
    let gpu = GPU.get_or_init(|| match Cuda::new(0) {
        Ok(gpu) => Some(gpu),
        Err(error) if std::env::var_os("GRADIRON_REQUIRE_GPU").is_some() => panic!("{error}"),
        Err(error) => {
            // Past the capture of the test harness, which hides what passes.
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "SKIPPED on a GPU: every operation: {error}");
            None
        }
    });
    gpu.as_ref()
}

/// A number that the environment sets.
fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Whether a call is taken: `GRADIRON_OPS_EVERY` takes every n-th one only, and `GRADIRON_OPS_LARGEST`
/// those of so many floats at most, since an emulator is slow.
fn is_taken(call: &Call<'_>) -> bool {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let inputs = call.inputs.iter().map(|x| x.len()).sum::<usize>();
    let floats = inputs + call.outputs.iter().sum::<usize>() + call.scratch;
    let number = CALLS.fetch_add(1, Ordering::Relaxed);
    number.is_multiple_of(setting("GRADIRON_OPS_EVERY", 1))
        && floats <= setting("GRADIRON_OPS_LARGEST", usize::MAX)
}

/// [`run_on`] in a precision.
pub fn run(
    call: &Call<'_>,
    precision: Precision,
    kernel: &impl Fn(&mut AnyStep<'_>, &[Buf], &[Buf], Buf),
    check: &impl Fn(&str, &[Vec<f32>]),
) {
    run_on(call, |gpu| gpu.with_precision(precision), kernel, check);
}

/// Runs a call on the GPU with the settings of `on`, outputs and scratch memory poisoned, and gives the
/// outputs to `check`: once with ranges at odd places, and once with all of them where vectors may start.
pub fn run_on(
    call: &Call<'_>,
    on: impl Fn(Cuda) -> Cuda,
    kernel: &impl Fn(&mut AnyStep<'_>, &[Buf], &[Buf], Buf),
    check: &impl Fn(&str, &[Vec<f32>]),
) {
    let Some(gpu) = gpu() else { return };
    if !is_taken(call) {
        return;
    }
    let gpu = on(gpu.clone());
    for (place, name) in [(ODD, "CUDA"), (ALIGNED, "CUDA, aligned")] {
        let Laid { outputs, inputs, scratch, end } = call.lay(place);
        let arena = vec![f32::NAN; end];
        let arena = run_in(&gpu, &arena, call, |step| kernel(step, &outputs, &inputs, scratch));
        let arena = arena.unwrap_or_else(|error| panic!("{error}"));
        check(name, &outputs_of(&arena, &outputs, scratch));
    }
}

/// What is in the arena behind a call.
fn run_in(
    gpu: &Cuda,
    before: &[f32],
    call: &Call<'_>,
    kernel: impl Fn(&mut AnyStep<'_>),
) -> Result<Vec<f32>, DeviceError> {
    let mut arena = gpu.allocate(before.len())?;
    gpu.write(&mut arena, 0, before)?;
    let memory = StepMemory {
        params: &Storage::zeros(0),
        grads: &mut gpu.allocate(0)?,
        arena: &mut arena,
        cache: None,
        random: Default::default(),
        inputs: call.inputs,
        indices: call.indices,
    };
    gpu.run_calls(memory, |step| kernel(&mut AnyStep::Cuda(step)))?;
    Ok(gpu.read(&arena, 0, before.len())?.to_vec())
}

/// The upper 16 bits of the nearest bf16, ties to even.
fn bf16(x: f32) -> u32 {
    let bits = x.to_bits();
    (bits + 0x7fff + (bits >> 16 & 1)) >> 16
}

/// An arena in which operands lie one behind another, those in `halves` as bf16.
struct Arena {
    memory: Vec<f32>,
    start: usize,
}

impl Arena {
    fn place(&mut self, len: usize, is_half: bool) -> Buf {
        let floats = if is_half { len.div_ceil(2) } else { len };
        let whole = Buf::new(Region::Arena, self.start, floats);
        self.start = (self.start + floats + 1).next_multiple_of(ALIGNED);
        self.memory.resize(self.start, f32::NAN);
        if is_half { whole.halves(0, len) } else { whole }
    }

    fn write(&mut self, to: Buf, x: &[f32]) {
        for (i, &x) in x.iter().enumerate() {
            let at = to.start + i;
            if to.element == Element::Float {
                self.memory[at] = x;
                continue;
            }
            let (shift, old) = (at % 2 * 16, self.memory[at / 2].to_bits());
            let new = old & !(0xffff << shift) | bf16(x) << shift;
            self.memory[at / 2] = f32::from_bits(new);
        }
    }
}

/// The numbers of a range.
fn numbers(memory: &[f32], of: Buf) -> Vec<f32> {
    let number = |at: usize| match of.element {
        Element::Float => memory[at],
        Element::Half => f32::from_bits(memory[at / 2].to_bits() >> (at % 2 * 16) << 16),
    };
    (of.start..of.start + of.len).map(number).collect()
}

/// See [`Call::run_halves`].
pub fn run_halves(
    call: &Call<'_>,
    values: [&[usize]; 2],
    slack: f64,
    kernel: &impl Fn(&mut AnyStep<'_>, &[Buf], &[Buf], Buf),
) {
    let Some(gpu) = gpu() else { return };
    if !is_taken(call) {
        return;
    }
    let gpu = gpu.clone().with_precision(Precision::Bf16);
    let run = |halves: [&[usize]; 2]| -> Result<Vec<Vec<f32>>, DeviceError> {
        let mut arena = Arena { memory: Vec::new(), start: ALIGNED };
        let lens = call.outputs.iter().enumerate();
        let outputs: Vec<Buf> =
            lens.map(|(n, len)| arena.place(*len, halves[0].contains(&n))).collect();
        let scratch = arena.place(call.scratch, false);
        let mut inputs = Vec::new();
        for (n, &x) in call.inputs.iter().enumerate() {
            let buf = arena.place(x.len(), halves[1].contains(&n));
            let rounded = |x: &f32| f32::from_bits(bf16(*x) << 16);
            if values[1].contains(&n) {
                arena.write(buf, &x.iter().map(rounded).collect::<Vec<_>>());
            } else {
                arena.write(buf, x);
            }
            inputs.push(buf);
        }
        let after =
            run_in(&gpu, &arena.memory, call, |step| kernel(step, &outputs, &inputs, scratch))?;
        Ok(outputs.iter().map(|buf| numbers(&after, *buf)).collect())
    };
    let floats = run([&[], &[]]).unwrap_or_else(|error| panic!("{error}"));
    let halves = run(values).unwrap_or_else(|error| panic!("{error}"));
    for (n, (got, want)) in halves.iter().zip(&floats).enumerate() {
        let most = want.iter().fold(0.0, |most: f64, x| most.max(f64::from(x.abs())));
        let want: Vec<f64> = want.iter().map(|x| f64::from(*x)).collect();
        // Half the distance of two bf16.
        let rounded = if values[0].contains(&n) { 1.0 / 256.0 } else { 0.0 };
        let bound = |i: usize| (rounded + slack) * want[i].abs() + slack * most;
        assert_close(&format!("halves, output {n}"), got, &want, bound);
    }
}
