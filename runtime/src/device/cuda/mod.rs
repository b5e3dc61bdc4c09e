//! NVIDIA GPUs: ranges become addresses, kernels are compiled for the sizes of a model when they are
//! first used, and a step is one CUDA graph.

mod compiler;
#[cfg(feature = "cudnn")]
mod convolution;
mod error;
mod given;
mod index;
mod later;
mod library;
mod list;
mod marks;
mod memory;
mod optimizer;
mod product;
mod rows;
mod run;
mod scaling;
mod step;
mod twin;

use std::collections::HashMap;
use std::ffi::CString;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use cudarc::driver::{CudaContext, CudaStream, result, sys};

use self::compiler::Compiler;
#[cfg(feature = "cudnn")]
use self::convolution::Convolutions;
use self::error::Context as _;
pub use self::error::CudaError;
use self::given::{Event, Placed};
pub(crate) use self::index::place;
pub use self::later::CudaLater;
use self::later::Pool;
pub use self::list::{KernelList, KernelReport, ListMemory};
use self::marks::Recorded;
pub use self::memory::CudaMemory;
use self::memory::Range;
use self::optimizer::Updates;
pub(crate) use self::product::Factors;
use self::product::Products;
pub(crate) use self::product::{Epilogue, Product};
pub(crate) use self::rows::Team;
use self::run::{Inputs, Places};
pub use self::step::CudaStep;
pub(crate) use self::step::{
    Arg, CudaKernel, Grid, THREADS, Text, at_once, lanes, of_vector, width,
};
use super::{Buf, Device, DeviceError, Later, Lent, Precision, Region, Run, StepMemory, Target};
use crate::profile::{self, Profile};

/// The oldest driver, as the version of CUDA that it supports: the one whose compiler is used.
const DRIVER: i32 = 13_000;

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
    later: Arc<Pool>,
    precision: Precision,
    factors: Factors,
    profile: Option<Profile>,
}

/// What the blocks and the steps of a GPU share.
pub(super) struct Shared {
    /// Ends before the context does, which it uses then.
    #[cfg(feature = "cudnn")]
    convolutions: Convolutions,
    context: Arc<CudaContext>,
    /// Where steps run.
    stream: Arc<CudaStream>,
    /// Where what they are given is copied.
    copy_stream: Arc<CudaStream>,
    compiler: Compiler,
    /// Kernels by their text.
    functions: Mutex<HashMap<String, sys::CUfunction>>,
    products: Products,
    /// What libraries use on the side, as blocks and their bytes. Larger ones were asked for later; those
    /// before stay, for graphs that use them.
    workspaces: Mutex<Vec<(sys::CUdeviceptr, usize)>>,
    counts: Counts,
    /// What went wrong in a call that could not say so.
    failure: Mutex<Option<CudaError>>,
    /// Held alone while the stream is captured, when it takes nothing else, and shared by all else that
    /// the stream is asked for.
    capture: RwLock<()>,
}

// SAFETY: functions of loaded modules may be launched by any thread that has bound the context;
// modules are never unloaded.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

/// How often things happened.
#[derive(Default)]
struct Counts {
    launches: AtomicUsize,
    graphs: AtomicUsize,
    allocations: AtomicUsize,
    synchronizations: AtomicUsize,
}

impl Counts {
    fn launch(&self) {
        self.launches.fetch_add(1, Ordering::Relaxed);
    }

    fn graph(&self) {
        self.graphs.fetch_add(1, Ordering::Relaxed);
    }

    fn allocation(&self) {
        self.allocations.fetch_add(1, Ordering::Relaxed);
    }

    fn synchronization(&self) {
        self.synchronizations.fetch_add(1, Ordering::Relaxed);
    }
}

impl Cuda {
    /// The GPU number `ordinal`, as the driver counts them from 0.
    ///
    /// # Errors
    /// When there is no driver, one that is too old, no such GPU, or a library of CUDA is missing:
    /// with what was looked for and where.
    pub fn new(ordinal: usize) -> Result<Self, CudaError> {
        library::load()?;
        result::init().to("start its driver")?;
        let mut version = 0;
        // SAFETY: writes one number.
        unsafe { sys::cuDriverGetVersion(&raw mut version) }.result().to("tell its version")?;
        if version < DRIVER {
            let found = format!("{}.{}", version / 1000, version % 1000 / 10);
            return Err(CudaError::OldDriver { found, needed: "13.0" });
        }
        let count = CudaContext::device_count().to("count its devices")? as usize;
        if ordinal >= count {
            return Err(CudaError::NoDevice { ordinal, count });
        }
        let context = CudaContext::new(ordinal).to("make a context")?;
        let stream = context.new_stream().to("make a stream")?;
        let copy_stream = context.new_stream().to("make a stream")?;
        let compiler = Compiler::new(context.compute_capability().to("tell its architecture")?);
        Ok(Self {
            later: Arc::default(),
            precision: Precision::F32,
            factors: Factors::F32,
            profile: profile::from_environment(),
            shared: Arc::new(Shared {
                #[cfg(feature = "cudnn")]
                convolutions: Convolutions::new(stream.cu_stream())?,
                stream,
                copy_stream,
                context,
                compiler,
                functions: Mutex::default(),
                products: Products::new()?,
                workspaces: Mutex::default(),
                counts: Counts::default(),
                failure: Mutex::default(),
                capture: RwLock::default(),
            }),
        })
    }

    /// The same GPU; values between operations, their gradients, and factors of products in
    /// `precision`. Sums, parameters, their gradients and optimizers' state stay `f32`.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, factors: Factors::of(precision), ..self }
    }

    /// The same GPU in [`Precision::F32`], but for the factors of products and convolutions, of which
    /// TF32 keeps 10 bits behind the first: an error of at most `2^-11` each, as with PyTorch's `allow_tf32`.
    pub fn with_tf32(self, tf32: bool) -> Self {
        let factors = if tf32 { Factors::Tf32 } else { Factors::F32 };
        Self { precision: Precision::F32, factors, ..self }
    }

    /// The same GPU; what runs on it is recorded in `profile`, and not in the record that
    /// `GRADIRON_PROFILE` asks for ([`profile`](crate::profile)). Runs that are recorded take longer.
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
        memory: StepMemory<'_, Self>,
        record: impl FnOnce(&mut CudaStep),
    ) -> Result<(), CudaError> {
        self.launch(memory, None, None, record)
    }

    fn launch(
        &self,
        memory: StepMemory<'_, Self>,
        key: Option<super::RunKey>,
        recorded: Option<Recorded<'_>>,
        record: impl FnOnce(&mut CudaStep),
    ) -> Result<(), CudaError> {
        let shared = &self.shared;
        shared.bind()?;
        shared.told()?;
        let params = twin::upload(shared, memory.params)?;
        let mut update = memory.grads.take_update();
        let loss_scale = match self.factors {
            Factors::F16 => memory.grads.loss_scale()?,
            _ => Range::default(),
        };
        let (grads, arena) = (memory.grads.lend(), memory.arena.lend());
        let mut runs = memory.arena.runs();
        let halves =
            twin::halves(shared, memory.params, self.factors, update.is_some(), |places| {
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
        };
        let scalars = update.as_ref().map_or([0.0; _], |update| update.scalars);
        let StepMemory { inputs: floats, indices, random, .. } = memory;
        let placed = runs.given.place(shared, floats, indices, random, &scalars)?;
        let inputs = Inputs { floats, placed, factors: self.factors, recorded };
        let follows = update.as_ref().map(|update| update.follows.clone());
        runs.launch(shared, key, follows, places, &inputs, |step| {
            record(step);
            if let Some(update) = &update {
                step.update(update);
            }
        })?;
        runs.given.used(shared, placed)
    }
}

impl fmt::Debug for Cuda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cuda({})", self.shared.context.ordinal())
    }
}

impl Shared {
    fn bind(&self) -> Result<(), CudaError> {
        self.context.bind_to_thread().to("bind its context")
    }

    fn stream(&self) -> sys::CUstream {
        self.stream.cu_stream()
    }

    fn copy_stream(&self) -> sys::CUstream {
        self.copy_stream.cu_stream()
    }

    /// While it is held, the stream is not captured. Not to be taken twice by one thread.
    fn uncaptured(&self) -> RwLockReadGuard<'_, ()> {
        self.capture.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn synchronize(&self) -> Result<(), CudaError> {
        let _uncaptured = self.uncaptured();
        self.counts.synchronization();
        self.stream.synchronize().to("finish its work")
    }

    fn stream_waits(&self, event: &Event) -> Result<(), CudaError> {
        let _uncaptured = self.uncaptured();
        wait(self.stream(), event)
    }

    fn copy_stream_waits(&self, event: &Event) -> Result<(), CudaError> {
        wait(self.copy_stream(), event)
    }

    /// The function of a kernel.
    fn function(&self, kernel: &CudaKernel) -> Result<sys::CUfunction, CudaError> {
        let mut functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        let key = kernel.key();
        if let Some(function) = functions.get(&key) {
            return Ok(*function);
        }
        let code = self.compiler.compile(kernel)?;
        // SAFETY: the context is bound, and `code` is a module for its device.
        let function = unsafe {
            let module = result::module::load_data(code.as_ptr().cast()).to("load a kernel")?;
            let name = CString::new(kernel.function).to("name a kernel")?;
            result::module::get_function(module, name).to("find a kernel")?
        };
        functions.insert(key, function);
        Ok(function)
    }

    /// At least so many bytes that a library uses on the side.
    fn workspace(&self, bytes: usize) -> Result<sys::CUdeviceptr, CudaError> {
        let mut workspaces = self.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, _)) = workspaces.iter().find(|(_, room)| *room >= bytes) {
            return Ok(*at);
        }
        // Those that are too small are together no larger than the next.
        let bytes = bytes.next_power_of_two().max(product::WORKSPACE);
        let free = || result::mem_get_info().map_or(0, |(free, _)| free);
        // SAFETY: the context is bound; freed when this value ends.
        let at = unsafe { result::malloc_sync(bytes) }
            .map_err(|_| CudaError::OutOfMemory { bytes, free: free() })?;
        self.counts.allocation();
        workspaces.push((at, bytes));
        Ok(at)
    }

    /// Keeps what went wrong for the next call that can say so.
    fn fail(&self, error: CudaError) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(error);
    }

    /// Tells what went wrong before.
    fn told(&self) -> Result<(), CudaError> {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take().map_or(Ok(()), Err)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let workspaces = self.workspaces.get_mut().unwrap_or_else(PoisonError::into_inner);
        let workspaces = std::mem::take(workspaces);
        // cuDNN ends behind this, and needs the context to be bound.
        if self.bind().and_then(|()| self.synchronize()).is_ok() {
            for (workspace, _) in workspaces {
                // SAFETY: allocated in `workspace`, and nothing that runs uses it.
                let _ = unsafe { result::free_sync(workspace) };
            }
        }
    }
}

fn wait(stream: sys::CUstream, event: &Event) -> Result<(), CudaError> {
    let flags = sys::CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT;
    // SAFETY: both are open.
    unsafe { result::stream::wait_event(stream, event.raw(), flags) }.to("wait for an event")
}

impl Device for Cuda {
    type Memory = CudaMemory;
    const ON_GPU: bool = true;

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

    fn target(&self) -> Target {
        self.precision.on_gpu()
    }

    fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }

    fn defer(&self, memory: &CudaMemory) -> bool {
        *memory.updates().lock().unwrap_or_else(PoisonError::into_inner) =
            Updates { deferred: true, next: None };
        true
    }

    fn read_later(&self, memory: &CudaMemory, at: usize) -> Result<Later, DeviceError> {
        Ok(Later::Cuda(self.later.read(&self.shared, memory.range().address(at, 1))?))
    }

    fn run<R: Run>(&self, memory: StepMemory<'_, Self>, run: R) -> Result<(), DeviceError> {
        let recorded = self.profile.as_ref();
        let recorded = recorded.map(|profile| Recorded { profile, name: R::NAME, phase: R::PHASE });
        Ok(self.launch(memory, run.key(), recorded, |step| run.run(step))?)
    }
}
