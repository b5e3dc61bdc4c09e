//! The kernels of a model without a GPU: what its runs would launch, and what NVIDIA's compiler
//! makes of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::compiler::Compiler;
use super::error::CudaError;
use super::library;
use super::library_call::LibraryCall;
use super::optimizer::Update;
use super::products::Factors;
use super::recording::{CudaKernel, CudaKernels, Launch};
use crate::device::{
    Changing, Device, DeviceError, Lent, Precision, Remote, RemoteUpdate, Run, RunMemory, Target,
};
use crate::storage::Storage;

/// A device that computes nothing: runs add their kernels to a list. For tests.
#[derive(Clone, Debug, Default)]
pub struct DryRun {
    /// By what they are called.
    kernels: Arc<Mutex<BTreeMap<String, CudaKernel>>>,
    precision: Precision,
    factors: Factors,
}

/// Zeros, as results that nobody computed.
#[derive(Debug)]
pub struct DryMemory {
    floats: Storage,
    list: DryRun,
}

/// What a compiled kernel needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelReport {
    /// The room, the function and the sizes.
    pub name: String,
    /// Of each thread.
    pub registers: usize,
    /// Bytes that did not fit into registers.
    pub spills: usize,
    /// Bytes of each block.
    pub shared: usize,
}

impl DryRun {
    /// What each kernel on the list needs when it is compiled for `arch`, `sm_90` for instance.
    ///
    /// # Errors
    /// When the compiler is missing, or does not take a kernel.
    pub fn compile(&self, arch: &str) -> Result<Vec<KernelReport>, CudaError> {
        library::load_compiler()?;
        let compiler = Compiler::reporting(arch);
        let kernels = self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        let report = |(name, kernel): (&String, &CudaKernel)| {
            let log = compiler.report(kernel)?;
            // "Used 40 registers, used 1 barriers, 4224 bytes smem", "0 bytes spill stores"
            let before = |unit: &str| {
                let number = |(at, _): (usize, &str)| {
                    let words = log[..at].rsplit(|c: char| !c.is_ascii_digit());
                    words.map(str::parse::<usize>).next()?.ok()
                };
                log.match_indices(unit).filter_map(number).max().unwrap_or(0)
            };
            Ok(KernelReport {
                name: name.clone(),
                registers: before(" registers"),
                spills: before(" bytes spill stores").max(before(" bytes spill loads")),
                shared: before(" bytes smem"),
            })
        };
        kernels.iter().map(report).collect()
    }

    /// The kernels on the list: room, function and sizes.
    pub fn names(&self) -> Vec<String> {
        let kernels = self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        kernels.keys().cloned().collect()
    }

    /// The same list; what runs from now on computes in `precision`.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, factors: Factors::of(precision), ..self }
    }

    /// The same list; what runs from now on computes in [`Precision::F32`] with factors of TF32.
    pub fn with_tf32(self) -> Self {
        Self { precision: Precision::F32, factors: Factors::Tf32, ..self }
    }

    /// Adds the kernels of these calls.
    pub fn record(&self, calls: impl FnOnce(&mut CudaKernels)) {
        let mut step = CudaKernels::new(self.factors);
        calls(&mut step);
        self.add(step);
    }

    fn add(&self, step: CudaKernels) {
        let mut kernels = self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        let mut launches = step.launches;
        while let Some(launch) = launches.pop() {
            match launch {
                Launch::Kernel { kernel, .. } => {
                    kernels.insert(name(&kernel), kernel);
                }
                Launch::Library(LibraryCall { before, after, otherwise, .. }) => {
                    launches.extend(before.into_iter().chain(after).chain(otherwise));
                }
                Launch::Product { .. } | Launch::Mark(_) => {}
            }
        }
    }
}

/// `layer_norm layer_norm DIM=128 LANES=32`; a chain by its steps.
fn name(kernel: &CudaKernel) -> String {
    let mut name = format!("{} {}", kernel.room, kernel.function);
    for line in kernel.defines.lines() {
        let words = line.strip_prefix("#define ").and_then(|line| line.split_once(' '));
        if let Some((size, value)) = words.filter(|(size, _)| !size.starts_with("IS_")) {
            name += &format!(" {size}={}", value.replace(' ', ""));
        }
    }
    let halves = kernel.defines.lines().filter_map(|line| {
        line.strip_prefix("typedef HALF ").and_then(|line| line.strip_suffix("_t;"))
    });
    let halves = halves.collect::<Vec<_>>();
    if !halves.is_empty() || kernel.text.contains("HALF") {
        let half = if kernel.defines.contains("typedef f16 HALF;") { "f16" } else { "bf16" };
        name += &format!(" {half}={}", halves.join(","));
    }
    if let std::borrow::Cow::Owned(text) = &kernel.text {
        let steps = text.lines().filter_map(|line| line.trim().strip_prefix("const float t"));
        name += &steps.map(|step| format!(" t{}", step.replace(' ', ""))).collect::<String>();
        let places = text.lines().filter_map(|line| {
            let line = line.trim();
            (line.starts_with("load(") || line.starts_with("spread(")).then_some(line)
        });
        name += &places.map(|place| format!(" {}", place.replace(' ', ""))).collect::<String>();
    }
    name
}

impl Device for DryRun {
    type Memory = DryMemory;
    type Pending = f32;
    type Preparer = ();

    fn allocate(&self, floats: usize) -> Result<DryMemory, DeviceError> {
        Ok(DryMemory { floats: Storage::zeros(floats), list: self.clone() })
    }

    fn read<'a>(
        &'a self,
        memory: &'a DryMemory,
        start: usize,
        len: usize,
    ) -> Result<&'a [f32], DeviceError> {
        Ok(&memory.floats.as_slice()[start..][..len])
    }

    fn read_later(&self, memory: &DryMemory, at: usize) -> Result<f32, DeviceError> {
        Ok(memory.floats.as_slice()[at])
    }

    fn target(&self) -> Target {
        self.precision.on_device()
    }

    fn lend<'a>(&'a self, memory: &'a DryMemory) -> Lent<'a> {
        Lent::Device(memory)
    }

    fn change<'a>(
        &'a self,
        memory: &'a mut DryMemory,
        start: usize,
        len: usize,
    ) -> Result<Changing<'a>, DeviceError> {
        Ok(Changing::here(&mut memory.floats.as_mut_slice()[start..][..len]))
    }

    fn run<R: Run>(&self, _memory: RunMemory<'_, Self>, run: R) -> Result<(), DeviceError> {
        self.record(|step| run.run(step));
        Ok(())
    }
}

impl Remote for DryMemory {
    fn fetch(&self, start: usize, len: usize) -> Result<&[f32], DeviceError> {
        Ok(&self.floats.as_slice()[start..][..len])
    }

    fn norm(&self, _len: usize) -> Result<f32, DeviceError> {
        Ok(0.0)
    }

    fn update(&self, update: RemoteUpdate<'_, '_>) {
        self.list.record(|step| step.update(&Update::listed(&update)));
    }

    fn renew(&self, _to: &mut Storage, _from: usize, _still: &[std::ops::Range<usize>]) {}
}
