//! What the host gives a step: inputs, class indices, random numbers' seed. It is copied to pinned
//! memory, and from there to the GPU while the step before still runs: two slots take turns.

use std::ffi::c_void;
use std::sync::Arc;

use cudarc::driver::result;

use super::Shared;
use super::error::{Context, CudaError};
use super::events::Event;
use super::memory::{Block, Range};
use crate::device::{GROUPS, Random, SCALARS};

/// Words between the starts of parts: as far as vectors of any kernel are aligned.
const ALIGN: usize = 64;

/// Words of what random numbers follow from; behind them are the scalars of an optimizer.
const RANDOM: usize = 4;

/// The scalars of an optimizer: the largest norm, and those of each group of parameters.
pub(super) type Scalars = [f32; 1 + GROUPS * SCALARS];

/// Words before the class indices.
const FRONT: usize = (RANDOM + 1 + GROUPS * SCALARS).next_multiple_of(ALIGN);

/// Two slots, of which each step takes the other one.
#[derive(Default)]
pub(super) struct Staging {
    slots: [Option<Slot>; 2],
    next: usize,
}

/// Room for what one step is given.
struct Slot {
    pinned: Pinned,
    block: Block,
    /// The copy to the GPU is done.
    copied: Event,
    /// The step that read it is done.
    used: Event,
}

/// Where the parts lie on the GPU.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Placed {
    /// All of it.
    pub whole: Range,
    pub random: Range,
    pub scalars: Range,
    pub indices: Range,
    /// Where the inputs start; they follow each other.
    inputs: usize,
    slot: usize,
}

impl Placed {
    /// The start of an input in `whole`, of inputs of these lengths.
    pub fn input(&self, number: usize, lens: &[usize]) -> Range {
        let before: usize = lens[..number].iter().map(|len| len.next_multiple_of(ALIGN)).sum();
        let (start, len) = (self.inputs + before, lens[number]);
        Range { at: self.whole.address(start, len), len }
    }
}

impl Staging {
    /// Starts the copy of what a step is given, and lets the step wait for it.
    pub fn place(
        &mut self,
        shared: &Arc<Shared>,
        inputs: &[&[f32]],
        indices: &[u32],
        random: Random,
        scalars: &Scalars,
    ) -> Result<Placed, CudaError> {
        let inputs_at = FRONT + indices.len().next_multiple_of(ALIGN);
        let of_inputs: usize = inputs.iter().map(|x| x.len().next_multiple_of(ALIGN)).sum();
        let words = inputs_at + of_inputs;
        let number = self.next;
        self.next = 1 - number;
        if self.slots[number].as_ref().is_none_or(|slot| slot.block.range().len < words) {
            self.slots[number] = Some(Slot::new(shared, words)?);
        }
        let slot = self.slots[number].as_mut().expect("it was just made");
        // The copy of two steps before, which is done unless the host is that far ahead.
        slot.copied.wait(shared)?;
        let pinned = slot.pinned.words();
        let seed = random.seed.0;
        for (word, value) in
            pinned.iter_mut().zip([seed, seed >> 32, random.step, random.step >> 32])
        {
            *word = value as u32;
        }
        pinned[RANDOM..][..scalars.len()].copy_from_slice(bytemuck::cast_slice(scalars));
        pinned[FRONT..][..indices.len()].copy_from_slice(indices);
        let mut at = inputs_at;
        for input in inputs {
            pinned[at..][..input.len()].copy_from_slice(bytemuck::cast_slice(input));
            at += input.len().next_multiple_of(ALIGN);
        }
        let whole = slot.block.range();
        shared.copy_stream_waits(&slot.used)?;
        // SAFETY: the block has room, and the pinned words stay as they are until `copied`.
        unsafe { result::memcpy_htod_async(whole.at, &pinned[..words], shared.copy_stream()) }
            .to("upload the inputs")?;
        slot.copied.record(shared.copy_stream())?;
        shared.stream_waits(&slot.copied)?;
        Ok(Placed {
            whole,
            random: Range { at: whole.at, len: RANDOM },
            scalars: Range { at: whole.address(RANDOM, scalars.len()), len: scalars.len() },
            indices: Range { at: whole.address(FRONT, indices.len()), len: indices.len() },
            inputs: inputs_at,
            slot: number,
        })
    }

    /// Says that the step that was started last is all that reads what was placed.
    pub fn used(&self, shared: &Shared, placed: Placed) -> Result<(), CudaError> {
        self.slots[placed.slot].as_ref().map_or(Ok(()), |slot| slot.used.record_step(shared))
    }
}

impl Slot {
    fn new(shared: &Arc<Shared>, words: usize) -> Result<Self, CudaError> {
        let slot = Self {
            pinned: Pinned::new(shared, words)?,
            block: Block::zeroed(shared, words)?,
            copied: Event::new(shared)?,
            used: Event::new(shared)?,
        };
        // The first copy, on a stream of its own, comes behind the clearing of the block.
        slot.used.record_step(shared)?;
        Ok(slot)
    }
}

/// Words of the host that the GPU copies by itself.
pub(super) struct Pinned {
    shared: Arc<Shared>,
    start: *mut u32,
    len: usize,
}

// SAFETY: the words belong to this value alone.
unsafe impl Send for Pinned {}
// SAFETY: through a shared reference words are only read; they change through exclusive references,
// and by copies that are waited for.
unsafe impl Sync for Pinned {}

impl Pinned {
    pub fn new(shared: &Arc<Shared>, len: usize) -> Result<Self, CudaError> {
        shared.bind()?;
        // SAFETY: the context is bound; the memory is freed once, in `drop`.
        let start = unsafe { result::malloc_host(4 * len.max(1), 0) }.to("pin memory")?.cast();
        // SAFETY: `malloc_host` gave room for `len` words, aligned for any; zero bytes are words.
        unsafe { std::ptr::write_bytes::<u32>(start, 0, len) };
        shared.counts.allocation();
        Ok(Self { shared: Arc::clone(shared), start, len })
    }

    /// The words. No copy may be under way.
    pub fn words(&mut self) -> &mut [u32] {
        // SAFETY: allocated and written in `new`, and borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }

    /// Word `at`. No copy to it may be under way.
    pub fn word(&self, at: usize) -> u32 {
        assert!(at < self.len, "gradiron: a word behind its memory (a bug)");
        // SAFETY: the assertion says that the word is inside; what copies it is done. Volatile, as
        // the GPU wrote it.
        unsafe { self.start.add(at).read_volatile() }
    }

    /// The address of word `at`, for a copy.
    pub fn address(&self, at: usize) -> *mut c_void {
        assert!(at < self.len, "gradiron: a word behind its memory (a bug)");
        // SAFETY: the assertion says that the word is inside.
        unsafe { self.start.add(at).cast() }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let idle = self.shared.bind().and_then(|()| self.shared.synchronize());
        if idle.is_ok() {
            // SAFETY: allocated in `new`, and no copy is under way.
            let _ = unsafe { result::free_host(self.start.cast()) };
        }
    }
}
