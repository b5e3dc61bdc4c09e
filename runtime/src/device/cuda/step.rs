//! A step on a GPU: kernels launched in the order of the calls.

use std::ffi::c_void;
use std::fmt::{Display, Write};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cudarc::driver::{result, sys::CUdeviceptr};

use super::error::{Context, CudaError};
use super::memory::{CudaMemory, Range};
use super::{Cuda, Shared};
use crate::device::{Buf, Indices, Kernels, Region, StepMemory};

/// A step on a GPU.
pub struct CudaStep<'a> {
    shared: &'a Arc<Shared>,
    params: Range,
    grads: Range,
    arena: Range,
    cache: Range,
    inputs: Vec<Range>,
    indices: Range,
    memory: PhantomData<&'a mut CudaMemory>,
}

/// An argument of a kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arg {
    At(CUdeviceptr),
    Float(f32),
}

/// Blocks of threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    pub blocks: usize,
    pub threads: usize,
}

impl Grid {
    /// A thread for each of `count` elements.
    pub fn each(count: usize) -> Self {
        Self { blocks: count.div_ceil(256), threads: 256 }
    }

    /// A block for each of `count` rows.
    pub fn rows(count: usize) -> Self {
        Self { blocks: count, threads: 256 }
    }
}

impl<'a> CudaStep<'a> {
    pub(super) fn new(
        shared: &'a Arc<Shared>,
        memory: StepMemory<'a, Cuda>,
    ) -> Result<Self, CudaError> {
        shared.bind()?;
        let mut resident = shared.resident();
        Ok(Self {
            shared,
            params: resident.params(shared, memory.params)?,
            grads: memory.grads.lend(),
            arena: memory.arena.lend(),
            cache: memory.cache.map(CudaMemory::lend).unwrap_or_default(),
            inputs: resident.inputs(shared, memory.inputs)?,
            indices: resident.indices(shared, memory.indices)?,
            memory: PhantomData,
        })
    }

    /// The address of a range.
    ///
    /// # Panics
    /// When it leaves its region (a bug of this library).
    pub(crate) fn at(&self, buf: Buf) -> Arg {
        let range = match buf.region {
            Region::Params => self.params,
            Region::Grads => self.grads,
            Region::Arena => self.arena,
            Region::Cache => self.cache,
            Region::Input(i) => self.inputs[usize::from(i)],
        };
        let inside = buf.start <= range.len && buf.len <= range.len - buf.start;
        assert!(inside, "gradiron: {buf:?} leaves its region of {} floats (a bug)", range.len);
        Arg::At(range.at + 4 * buf.start as u64)
    }

    /// The address of class indices.
    pub(crate) fn indices(&self, indices: Indices) -> Arg {
        assert!(indices.start + indices.len <= self.indices.len, "gradiron: indices (a bug)");
        Arg::At(self.indices.at + 4 * indices.start as u64)
    }

    /// Launches the kernel `name` of `text`, compiled for these sizes.
    pub(crate) fn launch(
        &mut self,
        (name, text): (&str, &str),
        sizes: &[(&str, &dyn Display)],
        grid: Grid,
        args: &[Arg],
    ) {
        if grid.blocks == 0 {
            return;
        }
        let mut defines = String::new();
        for (size, value) in sizes {
            let _ = writeln!(defines, "#define {size} {value}");
        }
        if let Err(error) = self.try_launch(name, &defines, text, grid, args) {
            panic!("gradiron: {error}");
        }
    }

    fn try_launch(
        &self,
        name: &str,
        defines: &str,
        text: &str,
        grid: Grid,
        args: &[Arg],
    ) -> Result<(), CudaError> {
        let kernel = self.shared.kernel(name, defines, text)?;
        let mut params: Vec<*mut c_void> = args
            .iter()
            .map(|arg| match arg {
                Arg::At(address) => std::ptr::from_ref(address).cast_mut().cast(),
                Arg::Float(value) => std::ptr::from_ref(value).cast_mut().cast(),
            })
            .collect();
        let (blocks, threads) = (grid.blocks as u32, grid.threads as u32);
        // SAFETY: the kernel takes these arguments, whose ranges have the sizes that it was
        // compiled for, and which nothing else uses before the stream comes to it.
        unsafe {
            result::launch_kernel(
                kernel,
                (blocks, 1, 1),
                (threads, 1, 1),
                0,
                self.shared.stream(),
                &mut params,
            )
        }
        .to("launch a kernel")?;
        self.shared.launches.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Kernels for CudaStep<'_> {}
