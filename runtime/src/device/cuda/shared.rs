//! What the blocks and the steps of a GPU share: its streams, kernels and libraries.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::ffi::CString;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use cudarc::driver::{CudaContext, CudaStream, result, sys};

use super::compiler::Compiler;
use super::error::{Context, CudaError, Room as _};
use super::events::Event;
use super::library;
use super::memory::Range;
use super::products::{self, Products};
use super::recording::CudaKernel;
use crate::constant::Constant;

/// The oldest driver, as the version of CUDA that it supports: the one whose compiler is used.
const DRIVER: i32 = 13_000;

/// What the blocks and the steps of a GPU share.
pub struct Shared {
    /// What rooms keep of libraries, by its type. It ends before the context does, which it uses
    /// then.
    #[cfg_attr(not(feature = "cudnn"), allow(dead_code))] // no other library is asked so
    libraries: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
    pub context: Arc<CudaContext>,
    /// Where steps run.
    stream: Arc<CudaStream>,
    /// Where what they are given is copied.
    copy_stream: Arc<CudaStream>,
    compiler: Compiler,
    /// Kernels by their text.
    functions: Mutex<HashMap<String, sys::CUfunction>>,
    pub(super) products: Products,
    /// What libraries use on the side, as blocks and their bytes. Larger ones were asked for later;
    /// those before stay, for graphs that use them.
    workspaces: Mutex<Vec<(sys::CUdeviceptr, usize)>>,
    /// Arrays that are constants of the program, by where they are on the host. They stay as long
    /// as the GPU is used.
    constants: Mutex<HashMap<(usize, usize), Range>>,
    pub counts: Counts,
    /// Held alone while the stream is captured, when it takes nothing else, and shared by all else
    /// that the stream is asked for.
    pub capture: RwLock<()>,
}

// SAFETY: functions of loaded modules may be launched by any thread that has bound the context;
// modules are never unloaded.
unsafe impl Send for Shared {}
// SAFETY: the driver's functions may be called by several threads at a time; what belongs to one
// stream or changes is behind locks.
unsafe impl Sync for Shared {}

/// How often things happened.
#[derive(Default)]
pub struct Counts {
    pub launches: AtomicUsize,
    pub graphs: AtomicUsize,
    pub allocations: AtomicUsize,
    pub synchronizations: AtomicUsize,
}

impl Counts {
    pub fn launch(&self) {
        self.launches.fetch_add(1, Ordering::Relaxed);
    }

    pub fn graph(&self) {
        self.graphs.fetch_add(1, Ordering::Relaxed);
    }

    pub fn allocation(&self) {
        self.allocations.fetch_add(1, Ordering::Relaxed);
    }

    pub fn synchronization(&self) {
        self.synchronizations.fetch_add(1, Ordering::Relaxed);
    }
}

impl Shared {
    /// What the GPU number `ordinal` has.
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
            libraries: Mutex::default(),
            stream,
            copy_stream,
            context,
            compiler,
            functions: Mutex::default(),
            products: Products::new()?,
            workspaces: Mutex::default(),
            constants: Mutex::default(),
            counts: Counts::default(),
            capture: RwLock::default(),
        })
    }

    pub fn bind(&self) -> Result<(), CudaError> {
        self.context.bind_to_thread().to("bind its context")
    }

    pub fn stream(&self) -> sys::CUstream {
        self.stream.cu_stream()
    }

    pub fn copy_stream(&self) -> sys::CUstream {
        self.copy_stream.cu_stream()
    }

    /// While it is held, the stream is not captured. Not to be taken twice by one thread.
    pub fn uncaptured(&self) -> RwLockReadGuard<'_, ()> {
        self.capture.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn synchronize(&self) -> Result<(), CudaError> {
        let _uncaptured = self.uncaptured();
        self.counts.synchronization();
        self.stream.synchronize().to("finish its work")
    }

    pub(super) fn stream_waits(&self, event: &Event) -> Result<(), CudaError> {
        let _uncaptured = self.uncaptured();
        wait(self.stream(), event)
    }

    pub(super) fn copy_stream_waits(&self, event: &Event) -> Result<(), CudaError> {
        wait(self.copy_stream(), event)
    }

    /// The function of a kernel.
    pub fn function(&self, kernel: &CudaKernel) -> Result<sys::CUfunction, CudaError> {
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

    /// What a room keeps of a library, started when it is first asked for; its work runs on the
    /// stream that `start` is given.
    #[cfg(feature = "cudnn")]
    pub fn library<T: Any + Send + Sync>(
        &self,
        start: impl FnOnce(sys::CUstream) -> Result<T, CudaError>,
    ) -> Result<Arc<T>, CudaError> {
        let mut libraries = self.libraries.lock().unwrap_or_else(PoisonError::into_inner);
        let library = match libraries.get(&TypeId::of::<T>()) {
            Some(library) => Arc::clone(library),
            None => {
                let started: Arc<dyn Any + Send + Sync> = Arc::new(start(self.stream())?);
                libraries.insert(TypeId::of::<T>(), Arc::clone(&started));
                started
            }
        };
        Ok(library.downcast().expect("it was kept by its type"))
    }

    /// At least so many bytes that a library uses on the side.
    pub fn workspace(&self, bytes: usize) -> Result<sys::CUdeviceptr, CudaError> {
        let mut workspaces = self.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, _)) = workspaces.iter().find(|(_, room)| *room >= bytes) {
            return Ok(*at);
        }
        // Those that are too small are together no larger than the next.
        let bytes = bytes.next_power_of_two().max(products::WORKSPACE);
        // SAFETY: the context is bound; freed when this value ends.
        let at = unsafe { result::malloc_sync(bytes) }.or_no_room(bytes)?;
        self.counts.allocation();
        workspaces.push((at, bytes));
        Ok(at)
    }

    /// A constant of the program on the GPU, uploaded when a step first needs it.
    pub(super) fn constant<T: bytemuck::Pod>(
        &self,
        constant: &Constant<T>,
    ) -> Result<Range, CudaError> {
        let mut constants = self.constants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(range) = constants.get(&constant.key()) {
            return Ok(*range);
        }
        let numbers = constant.numbers();
        self.bind()?;
        let bytes = size_of_val(numbers);
        // SAFETY: the context is bound; freed when this value ends.
        let at = unsafe { result::malloc_sync(bytes) }.or_no_room(bytes)?;
        self.counts.allocation();
        let uncaptured = self.uncaptured();
        // SAFETY: the memory has as many bytes, and `numbers` never change or end.
        let copied = unsafe { result::memcpy_htod_async(at, numbers, self.stream()) };
        drop(uncaptured);
        if let Err(error) = copied.to("upload memory").and_then(|()| self.synchronize()) {
            // SAFETY: allocated above, and nothing else knows of it.
            let _ = unsafe { result::free_sync(at) };
            return Err(error);
        }
        let range = Range { at, len: numbers.len() };
        constants.insert(constant.key(), range);
        Ok(range)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let workspaces = self.workspaces.get_mut().unwrap_or_else(PoisonError::into_inner);
        let workspaces = std::mem::take(workspaces);
        let constants = self.constants.get_mut().unwrap_or_else(PoisonError::into_inner);
        let constants = std::mem::take(constants);
        // Libraries end behind this, and need the context to be bound.
        if self.bind().and_then(|()| self.synchronize()).is_ok() {
            for (workspace, _) in workspaces {
                // SAFETY: allocated in `workspace`, and nothing that runs uses it.
                let _ = unsafe { result::free_sync(workspace) };
            }
            for constant in constants.into_values() {
                // SAFETY: allocated in `constant`, and nothing that runs uses it.
                let _ = unsafe { result::free_sync(constant.at) };
            }
        }
    }
}

fn wait(stream: sys::CUstream, event: &Event) -> Result<(), CudaError> {
    let flags = sys::CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT;
    // SAFETY: the event and the stream are open.
    unsafe { result::stream::wait_event(stream, event.raw(), flags) }.to("wait for an event")
}
