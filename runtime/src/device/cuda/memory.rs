//! Blocks of floats on a GPU, and what the host has read of them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::{result, sys::CUdeviceptr};

use super::Shared;
use super::error::{Context, CudaError};

/// A block of floats on a GPU.
pub struct CudaMemory {
    block: Block,
    /// What the host has read since the last step.
    copies: Mutex<Vec<Copy>>,
}

/// A range as the host sees it. It is refreshed where a step came between, which has the memory for
/// itself, so nobody looks at the floats then.
struct Copy {
    start: usize,
    floats: *mut [f32],
    fresh: bool,
}

// SAFETY: `floats` is a boxed slice that this value owns.
unsafe impl Send for Copy {}

impl Drop for Copy {
    fn drop(&mut self) {
        // SAFETY: made of a box, and dropped once.
        drop(unsafe { Box::from_raw(self.floats) });
    }
}

impl CudaMemory {
    pub(super) fn new(shared: &Arc<Shared>, len: usize) -> Result<Self, CudaError> {
        Ok(Self { block: Block::zeroed(shared, len)?, copies: Mutex::new(Vec::new()) })
    }

    /// The block, for a step that changes it.
    pub(super) fn lend(&mut self) -> Range {
        let copies = self.copies.get_mut().unwrap_or_else(PoisonError::into_inner);
        copies.iter_mut().for_each(|copy| copy.fresh = false);
        self.block.range()
    }

    /// A range on the host, after all that was asked of the GPU before.
    pub(super) fn read(&self, start: usize, len: usize) -> Result<&[f32], CudaError> {
        assert!(start + len <= self.block.len, "gradiron: a range leaves its memory (a bug)");
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |copy: &Copy| copy.start == start && copy.floats.len() == len;
        let at = copies.iter().position(known).unwrap_or_else(|| {
            let floats = Box::into_raw(vec![0.0; len].into_boxed_slice());
            copies.push(Copy { start, floats, fresh: false });
            copies.len() - 1
        });
        let copy = &mut copies[at];
        if !copy.fresh {
            // SAFETY: the slice is owned by `copies`, and not lent: a reference to it lives as
            // long as one to `self`, and since the last one the memory was lent to a step.
            let floats = unsafe { &mut *copy.floats };
            self.block.download(start, floats)?;
            copy.fresh = true;
        }
        // SAFETY: owned by `copies`, which keeps it until `self` ends or is lent for a step.
        Ok(unsafe { &*copy.floats })
    }
}

impl fmt::Debug for CudaMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CudaMemory({} floats)", self.block.len)
    }
}

/// A range of words of four bytes on the GPU.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Range {
    pub at: CUdeviceptr,
    pub len: usize,
}

/// An allocation of words of four bytes.
pub(super) struct Block {
    shared: Arc<Shared>,
    at: CUdeviceptr,
    len: usize,
}

impl Block {
    pub fn zeroed(shared: &Arc<Shared>, len: usize) -> Result<Self, CudaError> {
        shared.bind()?;
        let bytes = 4 * len.max(1);
        let free = || result::mem_get_info().map_or(0, |(free, _)| free);
        // SAFETY: the context is bound; the block is freed once, in `drop`.
        let at = unsafe { result::malloc_sync(bytes) }
            .map_err(|_| CudaError::OutOfMemory { bytes, free: free() })?;
        let block = Self { shared: Arc::clone(shared), at, len };
        shared.count_allocation();
        // SAFETY: the block has as many bytes.
        unsafe { result::memset_d8_async(at, 0, bytes, shared.stream()) }.to("clear memory")?;
        Ok(block)
    }

    pub fn range(&self) -> Range {
        Range { at: self.at, len: self.len }
    }

    /// Copies words to its start; they may change when this returns.
    pub fn upload<T: bytemuck::Pod>(&mut self, words: &[T]) -> Result<(), CudaError> {
        assert!(size_of_val(words) <= 4 * self.len, "gradiron: an upload leaves its memory (a bug)");
        // SAFETY: the block has room; the driver has read `words` when the stream is done.
        unsafe { result::memcpy_htod_async(self.at, words, self.shared.stream()) }
            .to("upload memory")?;
        self.shared.synchronize()
    }

    fn download(&self, start: usize, to: &mut [f32]) -> Result<(), CudaError> {
        self.shared.bind()?;
        let at = self.at + 4 * start as u64;
        // SAFETY: the range is in the block (checked by the caller), and `to` is borrowed until the
        // stream is done.
        unsafe { result::memcpy_dtoh_async(to, at, self.shared.stream()) }.to("download memory")?;
        self.shared.synchronize()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let bound = self.shared.bind().and_then(|()| self.shared.synchronize());
        if bound.is_ok() {
            // SAFETY: allocated in `zeroed`, and nothing that runs uses it.
            let _ = unsafe { result::free_sync(self.at) };
        }
    }
}
