//! The calls of all tests on a GPU, where there is one.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use gradiron::device::Storage;
use gradiron::device::{Buf, Cuda, Device, DeviceError, Precision, Region, RunMemory};
use gradiron::ops::fill::Fill as _;

use crate::any::AnyKernels;
use crate::harness::{ALIGNED, Call, Laid, ODD, assert_close, outputs_of};

/// The GPU. Where there is none, tests say so once and go on; with `GRADIRON_REQUIRE_GPU` they
/// fail.
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

/// Whether a call is taken: `GRADIRON_OPS_EVERY` takes the first of each test and every n-th behind
/// it, and `GRADIRON_OPS_LARGEST` those of so many floats at most, since an emulator is slow.
fn is_taken(call: &Call<'_>) -> bool {
    static CALLS: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());
    let inputs = call.inputs.iter().map(|x| x.len()).sum::<usize>();
    let floats = inputs + call.outputs.iter().sum::<usize>() + call.scratch;
    // The harness names threads after tests.
    let test = std::thread::current().name().unwrap_or_default().to_string();
    let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
    let count = calls.entry(test).or_default();
    let number = *count;
    *count += 1;
    number.is_multiple_of(setting("GRADIRON_OPS_EVERY", 1))
        && floats <= setting("GRADIRON_OPS_LARGEST", usize::MAX)
}

/// [`run_on`] in a precision.
pub fn run(
    call: &Call<'_>,
    precision: Precision,
    kernel: &impl Fn(&mut AnyKernels<'_>, &[Buf], &[Buf], Buf),
    check: &impl Fn(&str, &[Vec<f32>]),
) {
    run_on(call, |gpu| gpu.with_precision(precision), kernel, check);
}

/// Runs a call on the GPU with the settings of `on`, outputs and scratch memory poisoned, and gives
/// the outputs to `check`: once with ranges at odd places, and once with all of them where vectors
/// may start.
pub fn run_on(
    call: &Call<'_>,
    on: impl Fn(Cuda) -> Cuda,
    kernel: &impl Fn(&mut AnyKernels<'_>, &[Buf], &[Buf], Buf),
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
    kernel: impl Fn(&mut AnyKernels<'_>),
) -> Result<Vec<f32>, DeviceError> {
    let mut arena = gpu.allocate(before.len())?;
    gpu.write(&mut arena, 0, before)?;
    let memory = RunMemory {
        params: &Storage::zeros(0),
        grads: &mut gpu.allocate(0)?,
        arena: &mut arena,
        cache: None,
        prepared: None,
        random: Default::default(),
        inputs: call.inputs,
        indices: call.indices,
    };
    gpu.run_calls(memory, |step| kernel(&mut AnyKernels::Second(step)))?;
    Ok(gpu.read(&arena, 0, before.len())?.to_vec())
}

/// See [`Call::run_halves`].
pub fn run_halves(
    call: &Call<'_>,
    values: [&[usize]; 2],
    slack: f64,
    kernel: &impl Fn(&mut AnyKernels<'_>, &[Buf], &[Buf], Buf),
) {
    let Some(gpu) = gpu() else { return };
    if !is_taken(call) {
        return;
    }
    for (precision, rounding) in [(Precision::Bf16, 1.0 / 256.0), (Precision::F16, 1.0 / 2048.0)] {
        let gpu = gpu.clone().with_precision(precision);
        let [floats, halves] = [false, true].map(|as_halves| {
            let Laid { outputs, inputs, scratch, end } = call.lay(ALIGNED);
            let mut more = end;
            let mut place = |len: usize| {
                more += len.next_multiple_of(ALIGNED);
                Buf::new(Region::Arena, more - len.next_multiple_of(ALIGNED), len)
            };
            let mut half = |len: usize| place(len.div_ceil(2)).halves(0, len);
            let of_outputs: Vec<Buf> = outputs.iter().map(|y| half(y.len)).collect();
            let of_inputs: Vec<Buf> = inputs.iter().map(|x| half(x.len)).collect();
            let rounded: Vec<Buf> = inputs.iter().map(|x| place(x.len)).collect();
            let run = |step: &mut AnyKernels<'_>| {
                let mut given = inputs.clone();
                for n in values[1] {
                    step.copy(of_inputs[*n], inputs[*n]);
                    step.copy(rounded[*n], of_inputs[*n]);
                    given[*n] = if as_halves { of_inputs[*n] } else { rounded[*n] };
                }
                let mut made = outputs.clone();
                let results = if as_halves { values[0] } else { &[] };
                results.iter().for_each(|n| made[*n] = of_outputs[*n]);
                kernel(step, &made, &given, scratch);
                results.iter().for_each(|n| step.copy(outputs[*n], of_outputs[*n]));
            };
            let arena = run_in(&gpu, &vec![f32::NAN; more], call, run);
            outputs_of(&arena.unwrap_or_else(|error| panic!("{error}")), &outputs, scratch)
        });
        for (n, (got, want)) in halves.iter().zip(&floats).enumerate() {
            let most = want.iter().fold(0.0, |most: f64, x| most.max(f64::from(x.abs())));
            let want: Vec<f64> = want.iter().map(|x| f64::from(*x)).collect();
            // Half the distance of two halves; the least numbers of f16 are 2⁻²⁴ apart.
            let rounded = if values[0].contains(&n) { rounding } else { 0.0 };
            let bound = |i: usize| {
                (rounded + slack) * want[i].abs()
                    + slack * most
                    + f64::from(u8::from(rounded > 0.0)) / 33_554_432.0
            };
            assert_close(&format!("{precision:?}, output {n}"), got, &want, bound);
        }
    }
}
