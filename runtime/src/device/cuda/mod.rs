//! NVIDIA GPUs: ranges become addresses, kernels are compiled for the sizes of a model when they are
//! first used, and run in order on one stream.

mod compiler;
mod error;
mod library;
mod memory;
mod step;

use std::collections::HashMap;
use std::ffi::CString;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cudarc::driver::{CudaContext, CudaStream, result, sys};

use self::compiler::Compiler;
pub use self::error::CudaError;
use self::error::Context as _;
pub use self::memory::CudaMemory;
use self::memory::{Block, Range};
pub use self::step::CudaStep;
pub(crate) use self::step::{Arg, Grid};
use super::{Device, DeviceError, StepMemory};
use crate::storage::Storage;

/// The oldest driver, as the version of CUDA that it supports.
const DRIVER: i32 = 12_000;

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
}

/// What the blocks and the steps of a GPU share.
pub(super) struct Shared {
    context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
    compiler: Compiler,
    /// Kernels by their text.
    kernels: Mutex<HashMap<String, sys::CUfunction>>,
    /// Parameters, inputs and class indices on the GPU.
    resident: Mutex<Resident>,
    launches: AtomicUsize,
    allocations: AtomicUsize,
}

// SAFETY: functions of loaded modules may be launched by any thread that has bound the context;
// modules are never unloaded.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

/// Copies of what the host hands in.
#[derive(Default)]
struct Resident {
    /// By the block of the host: the version that was uploaded.
    params: Vec<(crate::storage::Version, Block)>,
    inputs: Vec<Block>,
    indices: Option<Block>,
}

/// How many models' parameters stay on the GPU.
const MODELS: usize = 8;

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
            return Err(CudaError::OldDriver { found, needed: "12.0" });
        }
        let count = CudaContext::device_count().to("count its devices")? as usize;
        if ordinal >= count {
            return Err(CudaError::NoDevice { ordinal, count });
        }
        let context = CudaContext::new(ordinal).to("make a context")?;
        let stream = context.new_stream().to("make a stream")?;
        let compiler = Compiler::new(context.compute_capability().to("tell its architecture")?);
        Ok(Self {
            shared: Arc::new(Shared {
                context,
                stream,
                compiler,
                kernels: Mutex::default(),
                resident: Mutex::default(),
                launches: AtomicUsize::new(0),
                allocations: AtomicUsize::new(0),
            }),
        })
    }

    /// What the driver calls it.
    ///
    /// # Errors
    /// When the driver does not say.
    pub fn name(&self) -> Result<String, CudaError> {
        self.shared.context.name().to("tell its name")
    }

    /// Kernels launched so far.
    pub fn launches(&self) -> usize {
        self.shared.launches.load(Ordering::Relaxed)
    }

    /// Blocks of its memory allocated so far.
    pub fn allocations(&self) -> usize {
        self.shared.allocations.load(Ordering::Relaxed)
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

    fn synchronize(&self) -> Result<(), CudaError> {
        self.stream.synchronize().to("finish its work")
    }

    fn count_allocation(&self) {
        self.allocations.fetch_add(1, Ordering::Relaxed);
    }

    /// The kernel `name` of `text`, compiled with `defines` in front.
    fn kernel(&self, name: &str, defines: &str, text: &str) -> Result<sys::CUfunction, CudaError> {
        let mut kernels = self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{name}\n{defines}\n{}", if defines.is_empty() { text } else { "" });
        if let Some(kernel) = kernels.get(&key) {
            return Ok(*kernel);
        }
        let code = self.compiler.compile(name, defines, text)?;
        // SAFETY: the context is bound, and `code` is a module for its device.
        let kernel = unsafe {
            let module = result::module::load_data(code.as_ptr().cast()).to("load a kernel")?;
            let name = CString::new(name).to("name a kernel")?;
            result::module::get_function(module, name).to("find a kernel")?
        };
        kernels.insert(key, kernel);
        Ok(kernel)
    }

    fn resident(&self) -> MutexGuard<'_, Resident> {
        self.resident.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resident {
    /// The parameters, uploaded unless they are there.
    fn params(&mut self, shared: &Arc<Shared>, host: &Storage) -> Result<Range, CudaError> {
        let version = host.version();
        let known = self.params.iter().position(|(known, _)| known.is_same_block(version));
        let at = match known {
            Some(at) if self.params[at].0 == version => return Ok(self.params[at].1.range()),
            Some(at) => at,
            None => {
                if self.params.len() == MODELS {
                    self.params.remove(0);
                }
                let block = Block::zeroed(shared, host.as_slice().len())?;
                self.params.push((version, block));
                self.params.len() - 1
            }
        };
        let (known, block) = &mut self.params[at];
        block.upload(host.as_slice())?;
        *known = version;
        Ok(block.range())
    }

    fn inputs(&mut self, shared: &Arc<Shared>, inputs: &[&[f32]]) -> Result<Vec<Range>, CudaError> {
        let mut ranges = Vec::with_capacity(inputs.len());
        for (i, input) in inputs.iter().enumerate() {
            let known = self.inputs.get(i).map_or(0, |block| block.range().len);
            if known < input.len() || self.inputs.len() <= i {
                let block = Block::zeroed(shared, input.len())?;
                if i < self.inputs.len() { self.inputs[i] = block } else { self.inputs.push(block) }
            }
            self.inputs[i].upload(input)?;
            ranges.push(Range { len: input.len(), ..self.inputs[i].range() });
        }
        Ok(ranges)
    }

    fn indices(&mut self, shared: &Arc<Shared>, indices: &[u32]) -> Result<Range, CudaError> {
        if self.indices.as_ref().is_none_or(|block| block.range().len < indices.len()) {
            self.indices = Some(Block::zeroed(shared, indices.len())?);
        }
        let block = self.indices.as_mut().expect("just made");
        if !indices.is_empty() {
            block.upload(indices)?;
        }
        Ok(block.range())
    }
}

impl Device for Cuda {
    type Memory = CudaMemory;
    type Step<'a> = CudaStep<'a>;

    fn allocate(&self, floats: usize) -> Result<CudaMemory, DeviceError> {
        CudaMemory::new(&self.shared, floats).map_err(DeviceError::Cuda)
    }

    fn read<'a>(&'a self, memory: &'a CudaMemory, start: usize, len: usize) -> &'a [f32] {
        match memory.read(start, len) {
            Ok(floats) => floats,
            Err(error) => panic!("gradiron: {error}"),
        }
    }

    fn step<'a>(&'a self, memory: StepMemory<'a, Self>) -> CudaStep<'a> {
        match CudaStep::new(&self.shared, memory) {
            Ok(step) => step,
            Err(error) => panic!("gradiron: {error}"),
        }
    }
}
