//! The device boundary.
//!
//! What `model!` generates never touches memory. It names ranges ([`Buf`]) of the few [`Region`]s
//! of a step and hands them to [`Kernels`]; a device resolves the ranges. On the CPU they become
//! slices, checked for bounds and overlap; on a GPU they become addresses. Another device is
//! another implementor of [`Device`] and [`Kernels`]: `docs/adding-a-device.md` has what it takes.

pub(crate) mod blocks;
mod changing;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod either;
mod flush;
mod fork;
mod hook;
mod loss;
mod precision;
mod remote;
mod shared_mut;
mod target;
mod threads;
mod tiny;

pub use crate::buf::{Buf, Element, Indices, Region, floats_of_halves};
pub use crate::constant::Constant;
pub use crate::failure::{DeviceError, Failure};
pub use changing::Changing;
pub use cpu::{Cpu, CpuKernels, CpuPreparer};
#[cfg(feature = "cuda")]
pub(crate) use cuda::{
    Arg, CudaKernel, Epilogue, Factors, Grid, Product, THREADS, Team, Text, at_once, lanes,
    of_vector, place, width,
};
#[cfg(feature = "cudnn")]
pub(crate) use cuda::{Context, LibraryCall, Plan, Planned, Shared};
#[cfg(feature = "cuda")]
pub use cuda::{Cuda, CudaError, CudaKernels, CudaMemory, CudaPreparer};
#[cfg(feature = "cuda")]
#[doc(hidden)]
pub use cuda::{DryMemory, DryRun, KernelReport, PendingNumber};
#[doc(hidden)]
pub use either::EitherKernels;
pub use loss::{Loss, Pending};
pub use precision::Precision;
pub(crate) use remote::trained;
pub use remote::{FROZEN, GROUPS, Remote, RemoteFunction, RemoteUpdate, SCALARS};
pub(crate) use shared_mut::SharedMut;
pub use target::{PerSide, Target};
pub use threads::{MOST_THREADS, PARALLEL_WORK, Threads};
pub(crate) use tiny::TinyKernels;

use crate::arena::Sizes;
use crate::math::SimdLevel;
use crate::ops;
use crate::profile::{PassOps, Phase, Profile};
use crate::rng::Seed;
pub use crate::storage::{Storage, Version};

/// What the random numbers of a step follow from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Random {
    /// The seed.
    pub seed: Seed,
    /// The number of the step.
    pub step: u64,
}

/// The memory of one step, lent to a device.
pub struct RunMemory<'a, D: Device> {
    /// On the host; a device with memory of its own keeps a copy of them.
    pub params: &'a Storage,
    /// The gradients of the parameters, then the new state.
    pub grads: &'a mut D::Memory,
    /// The planned memory.
    pub arena: &'a mut D::Memory,
    /// What is kept from step to step of a sequence.
    pub cache: Option<&'a mut D::Memory>,
    /// What inference prepared of the parameters, which other steps may read at the same time.
    pub prepared: Option<&'a D::Memory>,
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

/// Where a step runs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no device",
    label = "expected a device, such as `Cpu::new()`",
    note = "with the feature `cuda` of gradiron a GPU is `Cuda::new(0)?`"
)]
pub trait Device {
    /// A block of floats on this device.
    type Memory: Send + Sync + 'static;

    /// A number that its steps compute: an `f32` where it is there when a step returns.
    type Pending: Pending;

    /// What tells weights that were prepared on this device from those on others
    /// ([`preparer`](Self::preparer)).
    type Preparer: PartialEq + Send + Sync + 'static;

    /// Whether its kernels are those of the host's processor, for which plans have memory of their
    /// own.
    const ON_HOST: bool = false;

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

    /// The floats `start..start + len` of a block on the host, to change them: they are there again
    /// when what this gives is dropped.
    ///
    /// # Errors
    /// When the device fails to bring them to the host.
    fn change<'a>(
        &'a self,
        memory: &'a mut Self::Memory,
        start: usize,
        len: usize,
    ) -> Result<Changing<'a>, DeviceError>;

    /// What the memory of its steps is planned for.
    fn target(&self) -> Target;

    /// What tells weights that were prepared on this device from those on others: where it is
    /// equal, networks keep one preparation for all workspaces. Without, each workspace prepares
    /// its own.
    fn preparer(&self) -> Option<Self::Preparer> {
        None
    }

    /// The record of its runs, if there is one.
    fn profile(&self) -> Option<&Profile> {
        None
    }

    /// Makes what an optimizer asks of these gradients a part of the next run, where the device
    /// can.
    fn defer(&self, _memory: &Self::Memory) -> bool {
        false
    }

    /// Whether its steps may use this memory: that of another GPU is out of their reach.
    fn owns(&self, _memory: &Self::Memory) -> bool {
        true
    }

    /// Says that a run which was to change what [`defer`](Self::defer) asked for has failed: what
    /// these gradients and the parameters are is not known.
    fn lose(&self, _memory: &Self::Memory, _error: &DeviceError) {}

    /// The float at `at`, as soon as it is there.
    ///
    /// # Errors
    /// When the device fails to bring it to the host.
    fn read_later(&self, memory: &Self::Memory, at: usize) -> Result<Self::Pending, DeviceError>;

    /// Runs a step.
    ///
    /// # Errors
    /// When the device fails to.
    fn run<R: Run>(&self, memory: RunMemory<'_, Self>, run: R) -> Result<(), DeviceError>
    where
        Self: Sized;
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

    /// The parameters and the state of its model, asked where observers look on: the name of a
    /// tensor, its first float and how many it has.
    fn tensors() -> Vec<(String, usize, usize)> {
        Vec::new()
    }

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
pub trait Kernels: ops::Rooms {
    /// Whether kernels and the passes around them become one function.
    const INLINE: bool = false;
    /// Whether they are those of the host's processor, for which plans have memory of their own.
    const ON_HOST: bool = false;

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
