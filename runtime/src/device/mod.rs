//! The device boundary.
//!
//! What `model!` generates never touches memory. It names ranges ([`Buf`]) of the few
//! [`Region`]s of a step and hands them to [`Kernels`]; a device resolves the ranges. On the
//! CPU they become slices, checked for bounds and overlap; on a GPU they become addresses. A second
//! device is a second implementor of these traits.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod remote;
mod threads;
mod tiny;

pub use cpu::{Cpu, CpuStep};
#[cfg(feature = "cuda")]
pub(crate) use cuda::{
    Arg, CudaKernel, Epilogue, Factors, Grid, Product, THREADS, Team, Text, at_once, lanes,
    of_vector, place, width,
};
#[cfg(feature = "cuda")]
pub use cuda::{Cuda, CudaError, CudaMemory, CudaStep};
#[cfg(feature = "cuda")]
#[doc(hidden)]
pub use cuda::{CudaLater, KernelList, KernelReport, ListMemory};
pub use remote::{Remote, RemoteUpdate, SCALARS};
pub(crate) use threads::SharedMut;
pub use threads::{PARALLEL_WORK, Threads};
pub(crate) use tiny::TinyStep;

use crate::arena::Sizes;
use crate::init::Seed;
use crate::math::SimdLevel;
use crate::ops;
use crate::profile::{PassOps, Phase, Profile};
use crate::storage::Storage;

/// The kinds of memory that a step reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// The model's parameters and behind them its state: read only.
    Params,
    /// The gradients of the parameters and behind them the new state.
    Grads,
    /// Everything that is planned: activations, saved values, scratch, results.
    Arena,
    /// What a run step by step keeps of the positions before.
    Cache,
    /// The n-th float input of the call, used in place: read only.
    Input(u8),
}

/// What a range is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Element {
    /// An `f32`.
    #[default]
    Float,
    /// A number of 16 bits, of the kind that the device computes with ([`Target::GpuHalves`]).
    Half,
}

impl Element {
    /// The bytes of one.
    #[cfg(feature = "cuda")]
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::Float => 4,
            Self::Half => 2,
        }
    }
}

/// A range of numbers in one region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buf {
    /// The memory that the range is in.
    pub region: Region,
    /// What it is made of.
    pub element: Element,
    /// Its first element, counted in elements like it from the start of the region.
    pub start: usize,
    /// The number of elements.
    pub len: usize,
}

impl Buf {
    /// `len` floats of `region` from `start` on.
    pub const fn new(region: Region, start: usize, len: usize) -> Self {
        Self { region, element: Element::Float, start, len }
    }

    /// The range `start..start + len` of this range.
    #[inline]
    pub const fn part(self, start: usize, len: usize) -> Self {
        assert!(start + len <= self.len, "gradiron: a planned range leaves its buffer (a bug)");
        Self { region: self.region, element: self.element, start: self.start + start, len }
    }

    /// The range with its parameters as halves: a copy that a device keeps, of the same places.
    #[cfg(feature = "cuda")]
    pub(crate) const fn halves_of_params(self) -> Self {
        assert!(matches!(self.region, Region::Params), "gradiron: no parameters (a bug)");
        Self { region: self.region, element: Element::Half, start: self.start, len: self.len }
    }

    /// `len` halves in the place of the floats from `start` on.
    #[inline]
    pub const fn halves(self, start: usize, len: usize) -> Self {
        let floats = self.part(start, floats_of_halves(len));
        Self { region: self.region, element: Element::Half, start: 2 * floats.start, len }
    }

    /// `len` values in the place of the floats from `start` on.
    #[inline]
    pub const fn values(self, start: usize, len: usize, as_halves: bool) -> Self {
        if as_halves { self.halves(start, len) } else { self.part(start, len) }
    }

    pub(crate) const fn overlaps(self, other: Self) -> bool {
        let same = match (self.region, other.region) {
            (Region::Params, Region::Params)
            | (Region::Grads, Region::Grads)
            | (Region::Arena, Region::Arena)
            | (Region::Cache, Region::Cache) => true,
            (Region::Input(a), Region::Input(b)) => a == b,
            _ => false,
        };
        // An empty range overlaps nothing, wherever it starts.
        let full = self.len > 0 && other.len > 0;
        same && full && self.start < other.start + other.len && other.start < self.start + self.len
    }
}

/// The floats in whose place `len` halves lie.
pub const fn floats_of_halves(len: usize) -> usize {
    len.div_ceil(2)
}

/// A range of class indices, one of the integer inputs of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indices {
    /// The first index.
    pub start: usize,
    /// The number of indices.
    pub len: usize,
}

impl Indices {
    /// `len` indices from `start` on.
    pub const fn new(start: usize, len: usize) -> Self {
        Self { start, len }
    }
}

/// What the random numbers of a step follow from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Random {
    /// The seed.
    pub seed: Seed,
    /// The number of the step.
    pub step: u64,
}

/// The memory of one step, lent to a device.
pub struct StepMemory<'a, D: Device> {
    /// On the host; a device with memory of its own keeps a copy of them.
    pub params: &'a Storage,
    /// The gradients of the parameters, then the new state.
    pub grads: &'a mut D::Memory,
    /// The planned memory.
    pub arena: &'a mut D::Memory,
    /// What is kept from step to step of a sequence.
    pub cache: Option<&'a mut D::Memory>,
    /// What its random numbers follow from.
    pub random: Random,
    /// The float inputs, on the host.
    pub inputs: &'a [&'a [f32]],
    /// The class indices of all inputs, on the host.
    pub indices: &'a [u32],
}

/// Threads of the host and the instruction set that they use.
#[derive(Clone, Copy, Debug)]
pub struct Host<'a> {
    /// The team.
    pub threads: &'a Threads,
    /// Its instructions.
    pub level: SimdLevel,
}

/// What a device may round values to, to be faster and to need less memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precision {
    /// All values are `f32`.
    #[default]
    F32,
    /// Factors of products are rounded to bf16, to the nearest, ties to even: an error of at most
    /// `2^-8` each. Sums are `f32`, and so are parameters, their gradients and optimizers' state. A
    /// bf16 has the exponent of an `f32`: no gradient is lost below its range, and the loss needs no
    /// scaling.
    ///
    /// On a [`Cpu`], small products, which gain nothing, and convolutions stay `f32`; what the backward
    /// pass needs of the forward pass is stored in bf16 (`train_bytes_with`), but for functions that are
    /// small enough to become one piece. It is twice as fast where the processor has AVX512-BF16; the
    /// same rounding, but no gain, elsewhere.
    ///
    /// On a GPU, values and gradients between operations are stored in bf16 (`train_bytes_on_gpu`).
    Bf16,
    /// The same with f16 on a GPU, with an error of at most `2^-11` each and a smaller range: losses
    /// are scaled. A [`Cpu`], whose f16 would not be faster, computes in `f32`.
    F16,
}

impl Precision {
    /// What a step on a [`Cpu`] of this precision is planned for.
    pub const fn on_cpu(self) -> Target {
        match self {
            Self::F32 | Self::F16 => Target::Cpu,
            Self::Bf16 => Target::CpuHalvesBetween,
        }
    }

    /// What a step on a GPU of this precision is planned for.
    pub const fn on_gpu(self) -> Target {
        match self {
            Self::F32 => Target::Gpu,
            Self::Bf16 | Self::F16 => Target::GpuHalves,
        }
    }
}

/// What the memory of a step is planned for. Parameters, their gradients, inputs and results are `f32` in
/// all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// A processor, with values in `f32`.
    #[default]
    Cpu,
    /// A processor, with values in 16 bits where they live from the forward to the backward pass.
    CpuHalvesBetween,
    /// A GPU, with values in `f32`.
    Gpu,
    /// A GPU, with values in 16 bits where each sample has at least some.
    GpuHalves,
}

impl Target {
    /// Whether floats that live between the passes have a form in 16 bits.
    pub const fn are_halves_between(self) -> bool {
        matches!(self, Self::CpuHalvesBetween)
    }

    /// Whether values are in 16 bits from the start.
    pub const fn are_halves(self) -> bool {
        matches!(self, Self::GpuHalves)
    }

    /// Whether it is a GPU.
    pub const fn is_gpu(self) -> bool {
        matches!(self, Self::Gpu | Self::GpuHalves)
    }

    /// That of a function which may become one piece, and keeps its values as they are then.
    #[doc(hidden)]
    pub const fn of_small(self, is_small: bool) -> Self {
        if is_small && self.are_halves_between() { Self::Cpu } else { self }
    }

    /// What stands before offsets: see [`from_number`](Self::from_number).
    #[doc(hidden)]
    pub const fn number(self) -> usize {
        self as usize
    }

    #[doc(hidden)]
    #[inline(always)]
    pub const fn from_number(number: usize) -> Self {
        match number {
            1 => Self::CpuHalvesBetween,
            2 => Self::Gpu,
            3 => Self::GpuHalves,
            _ => Self::Cpu,
        }
    }
}

/// Where a step runs.
pub trait Device {
    /// A block of floats on this device.
    type Memory;

    /// A zeroed block of `floats` floats.
    ///
    /// # Errors
    /// When the device has no room for it.
    fn allocate(&self, floats: usize) -> Result<Self::Memory, DeviceError>;

    /// The floats `start..start + len` of a block, on the host.
    ///
    /// # Errors
    /// When the device fails to bring them there.
    fn read<'a>(
        &'a self,
        memory: &'a Self::Memory,
        start: usize,
        len: usize,
    ) -> Result<&'a [f32], DeviceError>;

    /// Floats where they are, for an optimizer that works there.
    fn lend<'a>(&'a self, memory: &'a Self::Memory) -> Lent<'a>;

    /// Whether it is a GPU.
    const ON_GPU: bool = false;

    /// What the memory of its steps is planned for.
    fn target(&self) -> Target {
        Target::Cpu
    }

    /// The record of its runs, if there is one.
    fn profile(&self) -> Option<&Profile> {
        None
    }

    /// Makes what an optimizer asks of these gradients a part of the next run, where the device can.
    fn defer(&self, _memory: &Self::Memory) -> bool {
        false
    }

    /// The float at `at`, as soon as it is there.
    ///
    /// # Errors
    /// When the device fails to bring it to the host.
    fn read_later(&self, memory: &Self::Memory, at: usize) -> Result<Later, DeviceError> {
        self.read(memory, at, 1).map(|float| Later::Now(float[0]))
    }

    /// Runs a step.
    ///
    /// # Errors
    /// When the device fails to.
    fn run<R: Run>(&self, memory: StepMemory<'_, Self>, run: R) -> Result<(), DeviceError>
    where
        Self: Sized;
}

/// A number on its way to the host.
#[derive(Debug)]
#[doc(hidden)]
pub enum Later {
    /// It is there.
    Now(f32),
    /// A GPU will write it.
    #[cfg(feature = "cuda")]
    Cuda(CudaLater),
}

/// The loss of a training step. On a GPU the step may still be under way.
#[derive(Debug)]
pub struct Loss(Later);

impl Loss {
    #[doc(hidden)]
    pub fn new(later: Later) -> Self {
        Self(later)
    }

    /// The number; waits for the step that makes it.
    ///
    /// # Errors
    /// When the device failed.
    pub fn value(&self) -> Result<f32, DeviceError> {
        match &self.0 {
            Later::Now(value) => Ok(*value),
            #[cfg(feature = "cuda")]
            Later::Cuda(later) => Ok(later.value()?),
        }
    }
}

/// Floats that an optimizer reads, where they are.
#[derive(Clone, Copy)]
pub enum Lent<'a> {
    /// In memory of the host, with what works on it.
    Host(&'a [f32], Host<'a>),
    /// On a device with memory of its own.
    Device(&'a dyn Remote),
}

/// The kernel calls of a step, for the kernels of any device.
pub trait Run {
    /// Whether the step may be so small that a device compiles it as one piece.
    const MAY_BE_TINY: bool;
    /// What a profile calls the step: `Mlp::loss`.
    const NAME: &'static str;
    /// The part of a training step that it is.
    const PHASE: Phase;

    /// What its calls follow from, when runs of the same key make the same calls.
    fn key(&self) -> Option<RunKey>;

    /// Whether the step is so small, at its present sizes.
    fn is_tiny(&self) -> bool;

    /// Its floating-point operations, asked of a tiny step.
    fn flops(&self) -> usize;

    /// Makes the calls.
    fn run<K: Kernels>(self, k: &mut K);
}

/// Tells a run from the other runs in a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunKey {
    /// What a profile calls the run.
    pub name: &'static str,
    /// The run-time sizes.
    pub n: Sizes,
    /// Whether it makes the gradients of the inputs.
    pub want_inputs: bool,
}

/// Every kernel, one room each: what generated code may call.
pub trait Kernels:
    ops::matmul::Matmul
    + ops::conv2d::Conv2d
    + ops::convert::Convert
    + ops::batch_norm::BatchNorm
    + ops::layer_norm::LayerNorm
    + ops::attention::Attention
    + ops::recurrent::Recurrent
    + ops::pool2d::Pool2d
    + ops::reduce::Reduce
    + ops::softmax::Softmax
    + ops::cross_entropy::CrossEntropy
    + ops::nll_loss::NllLoss
    + ops::embedding::Embedding
    + ops::permute::Permute
    + ops::cat::Cat
    + ops::dropout::Dropout
    + ops::argmax::Argmax
    + ops::cumsum::Cumsum
    + ops::gather::Gather
    + ops::hold::Hold
    + ops::interpolate::Interpolate
    + ops::rotary::Rotary
    + ops::copy::Fill
    + ops::elementwise::Map
{
    /// Whether kernels and the passes around them become one function.
    const INLINE: bool = false;
    /// Whether they are those of a GPU, which need no memory that is planned for a processor's.
    const ON_GPU: bool = false;

    /// The gradient of a loss by itself, which starts a backward pass: 1, or what the device scales
    /// losses by.
    #[inline(always)]
    fn seed(&mut self, d_loss: Buf) {
        self.fill(d_loss, 1.0);
    }

    /// Ends a backward pass that made these gradients, of parameters and of arguments.
    #[inline(always)]
    fn finish<const N: usize>(&mut self, _d_params: Buf, _d_args: [Buf; N]) {}

    /// Tells a profile that the calls up to [`leave`](Self::leave) are those of a pass.
    #[inline(always)]
    fn enter(&mut self, _ops: &'static PassOps, _n: Sizes) {}

    /// Tells a profile that the next calls are the operation `number` of the pass.
    #[inline(always)]
    fn op(&mut self, _number: usize) {}

    /// Tells a profile that the next pass is that of the model `number` of a row.
    #[inline(always)]
    fn item(&mut self, _number: usize) {}

    /// Tells a profile that the pass ends.
    #[inline(always)]
    fn leave(&mut self) {}
}

/// A device that cannot do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the messages say it
pub enum DeviceError {
    #[error("the {device} has no room for {bytes} bytes; use a smaller batch capacity")]
    OutOfMemory { device: &'static str, bytes: usize },
    #[cfg(feature = "cuda")]
    #[error(transparent)]
    Cuda(#[from] CudaError),
}
