//! Large blocks of memory that threads borrow while they compute a part of a product. A block on
//! the stack would ask every program for threads with large stacks, and one in the plan would be
//! there once for each product and each thread, of which a plan knows nothing. So the process has
//! as many as it has processors, from when the first device is made. Where all are lent, because
//! more threads than processors compute at once, the borrower does with less.

use std::cell::{Cell, UnsafeCell};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::storage::Line;

/// Floats of a block: half of a second-level cache of 1 MiB.
pub(crate) const FLOATS: usize = 128 << 10;

struct Block {
    lent: AtomicBool,
    /// Its capacity is what is lent; it has no elements. No page is there before it is written.
    memory: UnsafeCell<Vec<Line>>,
}

// SAFETY: `memory` is used by the one thread that has set `lent`, which acquires what the thread
// before has released; floats belong to no thread.
unsafe impl Sync for Block {}

static BLOCKS: OnceLock<Box<[Block]>> = OnceLock::new();

thread_local! {
    /// The block that this thread had last: its lines may still be in the caches of this processor.
    static LAST: Cell<usize> = const { Cell::new(0) };
}

/// Makes the blocks, once: whoever computes later allocates nothing. What memory does not suffice
/// for is not there.
pub(crate) fn make() {
    BLOCKS.get_or_init(|| {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let block = |_| {
            let mut memory = Vec::new();
            memory.try_reserve_exact(4 * FLOATS / size_of::<Line>()).ok()?;
            Some(Block { lent: AtomicBool::new(false), memory: UnsafeCell::new(memory) })
        };
        (0..processors).map_while(block).collect()
    });
}

/// Has the system bring in the memory of so many blocks, where so many are free.
pub(crate) fn touch(count: usize) {
    let mut lent: Vec<Lent> = std::iter::from_fn(borrow).take(count).collect();
    for block in &mut lent {
        for at in (0..FLOATS).step_by(1024) {
            // SAFETY: inside a block that is this thread's alone.
            unsafe { block.floats().add(at).write(0.0) };
        }
    }
}

/// A borrowed block, given back when it is dropped.
pub(crate) struct Lent {
    block: &'static Block,
}

impl Lent {
    /// [`FLOATS`] floats, not initialised, for this borrower alone.
    pub fn floats(&mut self) -> *mut f32 {
        // SAFETY: this thread has set `lent`, so nobody else has a reference to the memory.
        unsafe { (*self.block.memory.get()).as_mut_ptr().cast() }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.block.lent.store(false, Ordering::Release);
    }
}

/// A block, unless all are lent.
pub(crate) fn borrow() -> Option<Lent> {
    let blocks = BLOCKS.get()?;
    let last = LAST.get();
    (0..blocks.len()).find_map(|i| {
        let at = (last + i) % blocks.len();
        let block = &blocks[at];
        block.lent.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).ok()?;
        LAST.set(at);
        Some(Lent { block })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those of all tests that run at the time are among the ones that are lent.
    #[test]
    fn a_block_is_lent_to_one_borrower() {
        make();
        let mut lent: Vec<Lent> = std::iter::from_fn(borrow).collect();
        let mut starts: Vec<_> = lent.iter_mut().map(Lent::floats).collect();
        for (i, start) in starts.iter().enumerate() {
            // SAFETY: both ends of a block that nobody else has.
            unsafe {
                start.write(i as f32);
                start.add(FLOATS - 1).write(-(i as f32));
            }
        }
        for (i, start) in starts.iter().enumerate() {
            assert_eq!(start.align_offset(64), 0);
            // SAFETY: the same places, which are written.
            let ends = unsafe { [start.read(), start.add(FLOATS - 1).read()] };
            assert_eq!(ends, [i as f32, -(i as f32)]);
        }
        starts.sort();
        assert!(starts.windows(2).all(|two| two[0] < two[1]));
    }
}
