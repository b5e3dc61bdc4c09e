//! The calls of all tests on a GPU, where there is one.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use gradiron::device::{Buf, Cuda, Device, Precision, StepMemory};
use gradiron::storage::Storage;

use crate::any::AnyStep;
use crate::harness::{Call, Laid, outputs_of};

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
/// outputs to `check`.
/// `GRADIRON_OPS_EVERY` takes every n-th call only, and `GRADIRON_OPS_LARGEST` those of so many
/// floats at most: an emulator is slow.
pub fn run_on(
    call: &Call<'_>,
    on: impl Fn(Cuda) -> Cuda,
    kernel: &impl Fn(&mut AnyStep<'_>, &[Buf], &[Buf], Buf),
    check: &impl Fn(&str, &[Vec<f32>]),
) {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let Some(gpu) = gpu() else { return };
    let gpu = on(gpu.clone());
    let Laid { outputs, inputs, scratch, end } = call.lay();
    let floats = end + call.inputs.iter().map(|x| x.len()).sum::<usize>();
    let number = CALLS.fetch_add(1, Ordering::Relaxed);
    let is_taken = number.is_multiple_of(setting("GRADIRON_OPS_EVERY", 1));
    if !is_taken || floats > setting("GRADIRON_OPS_LARGEST", usize::MAX) {
        return;
    }
    let run = || {
        let mut arena = gpu.allocate(end)?;
        gpu.write(&mut arena, 0, &vec![f32::NAN; end])?;
        let memory = StepMemory {
            params: &Storage::zeros(0),
            grads: &mut gpu.allocate(0)?,
            arena: &mut arena,
            cache: None,
            random: Default::default(),
            inputs: call.inputs,
            indices: call.indices,
        };
        gpu.run_calls(memory, |step| kernel(&mut AnyStep::Cuda(step), &outputs, &inputs, scratch))?;
        Ok(outputs_of(gpu.read(&arena, 0, end)?, &outputs, scratch))
    };
    let results: Result<_, gradiron::device::DeviceError> = run();
    check("CUDA", &results.unwrap_or_else(|error| panic!("{error}")));
}
