//! NVIDIA GPUs: ranges become addresses, kernels are compiled for the sizes of a model when they
//! are first used, and a step is one CUDA graph.

mod compiler;
mod dry_run;
mod error;
mod events;
mod index;
mod library;
#[cfg_attr(not(feature = "cudnn"), allow(dead_code))] // no other library is asked so
mod library_call;
mod memory;
mod mirror;
mod optimizer;
mod pending;
mod products;
mod recording;
mod replay;
mod rows;
mod scaling;
mod shared;
mod staging;
mod timing;

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

pub use self::dry_run::{DryMemory, DryRun, KernelReport};
#[cfg(feature = "cudnn")]
pub(crate) use self::error::Context;
#[cfg(not(feature = "cudnn"))]
use self::error::Context as _;
pub use self::error::CudaError;
pub(crate) use self::index::place;
#[cfg(feature = "cudnn")]
pub(crate) use self::library_call::{LibraryCall, Plan, Planned};
pub use self::memory::CudaMemory;
use self::memory::Range;
use self::optimizer::Updates;
pub use self::pending::PendingNumber;
use self::pending::Pool;
pub(crate) use self::products::Factors;
pub(crate) use self::products::{Epilogue, Product};
pub use self::recording::CudaKernels;
pub(crate) use self::recording::{
    Arg, CudaKernel, Grid, THREADS, Text, at_once, lanes, of_vector, width,
};
use self::replay::{Inputs, Places};
pub(crate) use self::rows::Team;
pub(crate) use self::shared::Shared;
use self::staging::Placed;
use self::timing::Recorded;
use super::{Buf, Changing, Device, DeviceError, Lent, Precision, Region, Run, RunMemory, Target};
use crate::profile::{self, Profile};
use crate::storage::Lost;

/// A GPU.
///
/// ```no_run
/// use gradiron::device::Cuda;
/// let gpu = Cuda::new(0)?;
/// # Ok::<(), gradiron::device::CudaError>(())
/// ```
#[derive(Clone)]
pub struct Cuda {
    shared: Arc<Shared>,
    /// Numbers on their way to the host.
    pending: Arc<Pool>,
    precision: Precision,
    factors: Factors,
    profile: Option<Profile>,
}

impl Cuda {
    /// The GPU number `ordinal`, as the driver counts them from 0.
    ///
    /// # Errors
    /// When there is no driver, one that is too old, no such GPU, or a library of CUDA is missing:
    /// with what was looked for and where.
    pub fn new(ordinal: usize) -> Result<Self, CudaError> {
        Ok(Self {
            pending: Arc::default(),
            precision: Precision::F32,
            factors: Factors::F32,
            profile: profile::from_environment(),
            shared: Arc::new(Shared::new(ordinal)?),
        })
    }

    /// The same GPU; values between operations, their gradients, and factors of products in
    /// `precision`. Sums, parameters, their gradients and optimizers' state stay `f32`.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, factors: Factors::of(precision), ..self }
    }

    /// The same GPU in [`Precision::F32`], but for the factors of products and convolutions, of
    /// which TF32 keeps 10 bits behind the first: an error of at most `2^-11` each, as with
    /// PyTorch's `allow_tf32`.
    pub fn with_tf32(self, tf32: bool) -> Self {
        let factors = if tf32 { Factors::Tf32 } else { Factors::F32 };
        Self { precision: Precision::F32, factors, ..self }
    }

    /// The same GPU; what runs on it is recorded in `profile`, and not in the record that
    /// `GRADIRON_PROFILE` asks for ([`profile`](crate::profile)). Runs that are recorded take
    /// longer.
    pub fn with_profile(self, profile: &Profile) -> Self {
        Self { profile: Some(profile.clone()), ..self }
    }

    /// What the driver calls it.
    ///
    /// # Errors
    /// When the driver does not say.
    pub fn name(&self) -> Result<String, CudaError> {
        self.shared.context.name().to("tell its name")
    }

    /// Kernels and products launched one by one so far.
    pub fn launches(&self) -> usize {
        self.shared.counts.launches.load(Ordering::Relaxed)
    }

    /// Graphs launched so far.
    pub fn graph_launches(&self) -> usize {
        self.shared.counts.graphs.load(Ordering::Relaxed)
    }

    /// Blocks of memory allocated so far, of the GPU and pinned ones of the host.
    pub fn allocations(&self) -> usize {
        self.shared.counts.allocations.load(Ordering::Relaxed)
    }

    /// How often the host waited for results of the GPU.
    pub fn synchronizations(&self) -> usize {
        self.shared.counts.synchronizations.load(Ordering::Relaxed)
    }

    /// Overwrites floats: for tests of kernels.
    ///
    /// # Errors
    /// When the GPU fails to.
    #[doc(hidden)]
    pub fn write(
        &self,
        memory: &mut CudaMemory,
        start: usize,
        floats: &[f32],
    ) -> Result<(), CudaError> {
        memory.write(start, floats)
    }

    /// Runs the calls of `record`: for tests of kernels.
    ///
    /// # Errors
    /// When the GPU fails to.
    #[doc(hidden)]
    pub fn run_calls(
        &self,
        memory: RunMemory<'_, Self>,
        record: impl FnOnce(&mut CudaKernels),
    ) -> Result<(), DeviceError> {
        self.launch(memory, None, None, record)
    }

    /// Runs the calls of `record`. After a failure it is not known what is in the memory.
    fn launch(
        &self,
        memory: RunMemory<'_, Self>,
        key: Option<super::RunKey>,
        recorded: Option<Recorded<'_>>,
        record: impl FnOnce(&mut CudaKernels),
    ) -> Result<(), DeviceError> {
        let both = [memory.grads.lost().clone(), memory.arena.lost().clone()];
        both.iter().try_for_each(Lost::check)?;
        let launched = self.try_launch(memory, key, recorded, record);
        launched.inspect_err(|error| both.iter().for_each(|lost| lost.set(error)))
    }

    fn try_launch(
        &self,
        memory: RunMemory<'_, Self>,
        key: Option<super::RunKey>,
        recorded: Option<Recorded<'_>>,
        record: impl FnOnce(&mut CudaKernels),
    ) -> Result<(), DeviceError> {
        let shared = &self.shared;
        shared.bind()?;
        let params = mirror::upload(shared, memory.params)?;
        let mut update = memory.grads.take_update();
        let loss_scale = match self.factors {
            Factors::F16 => memory.grads.loss_scale()?,
            _ => Range::default(),
        };
        let (grads, arena) = (memory.grads.lend(), memory.arena.lend());
        let prepared = memory.prepared.map(CudaMemory::range).unwrap_or_default();
        let mut runs = memory.arena.runs();
        let halves =
            mirror::halves(shared, memory.params, self.factors, update.is_some(), |places| {
                let whole = Buf::new(Region::Params, 0, params.len);
                let inputs = Inputs {
                    floats: &[],
                    placed: Placed::default(),
                    factors: self.factors,
                    recorded: None,
                };
                runs.launch(shared, None, None, places, &inputs, |step| {
                    step.copy_as(whole.halves_of_params().into(), whole.into(), whole.len);
                })
            })?;
        if let Some(update) = &mut update {
            update.follows.halves = self.factors.are_halves();
            update.follows.scaled = self.factors == Factors::F16;
        }
        let places = Places {
            params,
            halves,
            loss_scale,
            grads,
            arena,
            cache: memory.cache.map(CudaMemory::lend).unwrap_or_default(),
            prepared,
        };
        let scalars = update.as_ref().map_or([0.0; _], |update| update.scalars);
        let RunMemory { inputs: floats, indices, random, .. } = memory;
        let placed = runs.staging.place(shared, floats, indices, random, &scalars)?;
        let inputs = Inputs { floats, placed, factors: self.factors, recorded };
        let follows = update.as_ref().map(|update| update.follows.clone());
        runs.launch(shared, key, follows, places, &inputs, |step| {
            record(step);
            if let Some(update) = &update {
                step.update(update);
            }
        })?;
        Ok(runs.staging.used(shared, placed)?)
    }
}

impl fmt::Debug for Cuda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cuda({})", self.shared.context.ordinal())
    }
}

/// What weights that a GPU prepares follow from, beside the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CudaPreparer {
    /// Its address, which what it prepared keeps from being another's.
    gpu: usize,
    factors: Factors,
}

impl Device for Cuda {
    type Memory = CudaMemory;
    type Pending = PendingNumber;
    type Preparer = CudaPreparer;

    fn allocate(&self, floats: usize) -> Result<CudaMemory, DeviceError> {
        Ok(CudaMemory::new(&self.shared, floats)?)
    }

    fn read<'a>(
        &'a self,
        memory: &'a CudaMemory,
        start: usize,
        len: usize,
    ) -> Result<&'a [f32], DeviceError> {
        Ok(memory.read(start, len)?)
    }

    fn lend<'a>(&'a self, memory: &'a CudaMemory) -> Lent<'a> {
        Lent::Device(memory)
    }

    fn change<'a>(
        &'a self,
        memory: &'a mut CudaMemory,
        start: usize,
        len: usize,
    ) -> Result<Changing<'a>, DeviceError> {
        memory.lost().check()?;
        let floats = memory.read(start, len)?.to_vec();
        Ok(Changing::copy(floats, move |floats| {
            if let Err(error) = memory.write(start, floats) {
                memory.lost().set(&error.into());
            }
        }))
    }

    fn target(&self) -> Target {
        self.precision.on_device()
    }

    fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }

    fn defer(&self, memory: &CudaMemory) -> bool {
        *memory.updates().lock().unwrap_or_else(PoisonError::into_inner) =
            Updates { deferred: true, ..Updates::default() };
        true
    }

    fn owns(&self, memory: &CudaMemory) -> bool {
        Arc::ptr_eq(memory.shared(), &self.shared)
    }

    fn lose(&self, memory: &CudaMemory, error: &DeviceError) {
        memory.lose(error);
    }

    fn preparer(&self) -> Option<CudaPreparer> {
        let gpu = Arc::as_ptr(&self.shared) as usize;
        Some(CudaPreparer { gpu, factors: self.factors })
    }

    fn read_later(&self, memory: &CudaMemory, at: usize) -> Result<PendingNumber, DeviceError> {
        let at = memory.range().address(at, 1);
        Ok(self.pending.read(&self.shared, at, memory.lost().clone())?)
    }

    fn run<R: Run>(&self, memory: RunMemory<'_, Self>, run: R) -> Result<(), DeviceError> {
        let recorded = self.profile.as_ref();
        let recorded = recorded.map(|profile| Recorded { profile, name: R::NAME, phase: R::PHASE });
        self.launch(memory, run.key(), recorded, |step| run.run(step))
    }
}
