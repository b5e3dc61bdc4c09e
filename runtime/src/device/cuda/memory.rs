//! Blocks of floats on a GPU, and what the host has read of them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use cudarc::driver::{result, sys::CUdeviceptr};

use super::error::{Context, CudaError, Room as _};
use super::optimizer::{Update, Updates};
use super::replay::Runs;
use super::{Shared, scaling};
use crate::device::{Buf, Element, floats_of_halves};
use crate::storage::Lost;

/// A block of floats on a GPU.
pub struct CudaMemory {
    block: Block,
    /// What the host has read since the last step.
    copies: Mutex<Vec<Copy>>,
    /// The steps that work on it.
    runs: Mutex<Runs>,
    /// What becomes of updates, when these are gradients.
    updates: Mutex<Updates>,
    /// Where the norm of gradients goes that is asked for.
    norm: OnceLock<Block>,
    /// The state of the scale of losses, when these are gradients of such.
    loss_scale: OnceLock<Block>,
    /// Whether a run on it failed.
    lost: Lost,
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
        Ok(Self {
            block: Block::zeroed(shared, len)?,
            copies: Mutex::default(),
            runs: Mutex::default(),
            updates: Mutex::default(),
            norm: OnceLock::new(),
            loss_scale: OnceLock::new(),
            lost: Lost::default(),
        })
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.block.shared
    }

    /// Whether a run on it failed.
    pub(super) fn lost(&self) -> &Lost {
        &self.lost
    }

    /// The block.
    pub(super) fn range(&self) -> Range {
        self.block.range()
    }

    /// The block, for a step that changes it.
    pub(super) fn lend(&mut self) -> Range {
        let copies = self.copies.get_mut().unwrap_or_else(PoisonError::into_inner);
        copies.iter_mut().for_each(|copy| copy.fresh = false);
        self.block.range()
    }

    /// The steps that work on it.
    pub(super) fn runs(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The update that becomes a part of a run.
    pub(super) fn take_update(&mut self) -> Option<Update> {
        let updates = self.updates.get_mut().unwrap_or_else(PoisonError::into_inner);
        updates.deferred = false;
        updates.next.take()
    }

    pub(super) fn updates(&self) -> &Mutex<Updates> {
        &self.updates
    }

    pub(super) fn norm_block(&self) -> Result<&Block, CudaError> {
        if let Some(block) = self.norm.get() {
            return Ok(block);
        }
        let block = Block::zeroed(self.shared(), 1)?;
        Ok(self.norm.get_or_init(|| block))
    }

    /// The state of the scale of losses, made where there is none.
    pub(super) fn loss_scale(&self) -> Result<Range, CudaError> {
        if let Some(block) = self.loss_scale.get() {
            return Ok(block.range());
        }
        let mut block = Block::zeroed(self.shared(), scaling::STATE.len())?;
        block.upload(0, &scaling::STATE)?;
        Ok(self.loss_scale.get_or_init(|| block).range())
    }

    /// The same, where there is one.
    pub(super) fn known_loss_scale(&self) -> Option<Range> {
        self.loss_scale.get().map(Block::range)
    }

    /// A range on the host, after all that was asked of the GPU before.
    pub(super) fn read(&self, start: usize, len: usize) -> Result<&[f32], CudaError> {
        let is_inside = start <= self.block.len && len <= self.block.len - start;
        assert!(is_inside, "gradiron: a range leaves its memory (a bug)");
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

    /// Overwrites the floats from `start` on.
    pub(super) fn write(&mut self, start: usize, floats: &[f32]) -> Result<(), CudaError> {
        self.lend();
        self.block.upload(start, floats)
    }
}

impl fmt::Debug for CudaMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CudaMemory({} floats)", self.block.len)
    }
}

/// A range of words of four bytes on the GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    pub at: CUdeviceptr,
    pub len: usize,
}

impl Range {
    /// The address of a range of elements.
    ///
    /// # Panics
    /// When they leave the range (a bug of this library).
    pub fn of(self, buf: Buf) -> CUdeviceptr {
        match buf.element {
            Element::Float => self.address(buf.start, buf.len),
            Element::Half => {
                let end = floats_of_halves(buf.start.saturating_add(buf.len));
                self.address(buf.start / 2, end - buf.start / 2) + 2 * (buf.start % 2) as u64
            }
        }
    }

    /// The address of `len` words from `start` on.
    ///
    /// # Panics
    /// When they leave the range (a bug of this library).
    pub fn address(self, start: usize, len: usize) -> CUdeviceptr {
        let inside = start <= self.len && len <= self.len - start;
        assert!(
            inside,
            "gradiron: {start}.. of {len} leaves a region of {} words (a bug)",
            self.len
        );
        self.at + 4 * start as u64
    }
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
        // SAFETY: the context is bound; the block is freed once, in `drop`.
        let at = unsafe { result::malloc_sync(bytes) }.or_no_room(bytes)?;
        let block = Self { shared: Arc::clone(shared), at, len };
        shared.counts.allocation();
        let _uncaptured = shared.uncaptured();
        // SAFETY: the block has as many bytes.
        unsafe { result::memset_d8_async(at, 0, bytes, shared.stream()) }.to("clear memory")?;
        Ok(block)
    }

    pub fn range(&self) -> Range {
        Range { at: self.at, len: self.len }
    }

    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Copies words to it, from `start` on; they may change when this returns.
    pub fn upload<T: bytemuck::Pod>(&mut self, start: usize, words: &[T]) -> Result<(), CudaError> {
        let at = self.range().address(start, size_of_val(words).div_ceil(4));
        self.shared.bind()?;
        // SAFETY: the block has room; the driver has read `words` when the stream is done.
        unsafe { result::memcpy_htod_async(at, words, self.shared.stream()) }
            .to("upload memory")?;
        self.shared.synchronize()
    }

    /// Copies its words from `start` on to the host.
    pub fn download(&self, start: usize, to: &mut [f32]) -> Result<(), CudaError> {
        let at = self.range().address(start, to.len());
        self.shared.bind()?;
        let uncaptured = self.shared.uncaptured();
        // SAFETY: the range is in the block, and `to` is borrowed until the stream is done.
        unsafe { result::memcpy_dtoh_async(to, at, self.shared.stream()) }.to("download memory")?;
        drop(uncaptured);
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
