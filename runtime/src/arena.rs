//! The plan of a step's memory: from sizes and lifetimes to offsets, before anything runs.

use crate::buf::{Buf, Region};

/// The run-time sizes of a model, in the order of their first appearance; 1 where there are fewer.
pub type Sizes = [usize; 4];

/// A size of an argument of a call, from those of all; of one that is not there, the check of the
/// call speaks.
#[inline(always)]
pub const fn size_of_axis(args: &[&[usize]], arg: usize, axis: usize) -> usize {
    if arg < args.len() && axis < args[arg].len() { args[arg][axis] } else { 1 }
}

/// Every buffer starts on a cache line: a multiple of this many floats.
pub const ALIGN: usize = 16;

/// The most elements that a value of a model may have: 4 TiB of floats, or 1 GiB where addresses
/// have 32 bits. Sizes of memory saturate ([`times`], [`plus`]) until they are known to be below;
/// what kernels compute of them then stays in the range of a `usize`.
pub const MOST: usize = 1 << if usize::BITS < 64 { 28 } else { 40 };

/// `len` floats, rounded up to whole cache lines; the largest number where there are none.
#[inline]
pub const fn padded(len: usize) -> usize {
    if len > usize::MAX - (ALIGN - 1) { usize::MAX } else { len.div_ceil(ALIGN) * ALIGN }
}

/// A product of sizes, the largest number where it is beyond.
#[inline]
pub const fn times(a: usize, b: usize) -> usize {
    a.saturating_mul(b)
}

/// A sum of sizes, the largest number where it is beyond.
#[inline]
pub const fn plus(a: usize, b: usize) -> usize {
    a.saturating_add(b)
}

/// A difference of sizes, of which the first is the larger one.
#[inline]
pub const fn minus(a: usize, b: usize) -> usize {
    a.saturating_sub(b)
}

/// The sum of all `values`, the largest number where it is beyond.
pub const fn sum(values: &[usize]) -> usize {
    let (mut sum, mut i) = (0, 0);
    while i < values.len() {
        sum = plus(sum, values[i]);
        i += 1;
    }
    sum
}

/// The bytes of so many floats together; the largest number where no address space has as many.
pub const fn bytes(floats: &[usize]) -> usize {
    let bytes = times(sum(floats), size_of::<f32>());
    if bytes > isize::MAX as usize { usize::MAX } else { bytes }
}

/// The largest of `values`; 0 of none.
pub const fn max(values: &[usize]) -> usize {
    let (mut max, mut i) = (0, 0);
    while i < values.len() {
        if values[i] > max {
            max = values[i];
        }
        i += 1;
    }
    max
}

/// The smallest of `values`; the largest number of none.
pub const fn min(values: &[usize]) -> usize {
    let (mut min, mut i) = (usize::MAX, 0);
    while i < values.len() {
        if values[i] < min {
            min = values[i];
        }
        i += 1;
    }
    min
}

/// Which part of a function's memory a buffer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Lives from the forward into the backward pass.
    Saved,
    /// Lives within the forward pass.
    Forward,
    /// Lives within the backward pass.
    Backward,
}

/// The first and the last op that need a buffer.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    first: u32,
    last: u32,
    part: Part,
}

impl Life {
    /// A life from op `first` to op `last`.
    pub const fn new(first: u32, last: u32, part: Part) -> Self {
        Self { first, last, part }
    }

    /// Whether it is needed at an op.
    pub(crate) const fn is_alive(&self, op: u32) -> bool {
        self.first <= op && op <= self.last
    }

    pub(crate) const fn part(&self) -> Part {
        self.part
    }
}

/// Where each of `N` buffers starts.
#[derive(Clone, Copy, Debug)]
pub struct Layout<const N: usize> {
    /// The first float of each buffer.
    pub offsets: [usize; N],
    /// The floats of the memory that lasts from forward to backward, or of all of it.
    pub saved: usize,
    /// The floats of the memory within one pass; 0 in a layout of the whole.
    pub scratch: usize,
    /// The most floats that have to be there at once: no plan takes less.
    pub least: usize,
}

impl<const N: usize> Layout<N> {
    /// That of values which are too large.
    pub const TOO_LARGE: Self =
        Self { offsets: [0; N], saved: usize::MAX, scratch: usize::MAX, least: usize::MAX };
}

/// Offsets for buffers of `sizes` floats, such that no two that live at once overlap. `lives` are
/// in the order of their first op.
///
/// With `whole`, one block serves forward and backward, and what the forward pass saved is used
/// again as soon as the backward pass has read it. Otherwise a function's saved memory and its
/// scratch memory are two blocks, because others run between its two passes.
///
/// Where the floats together are beyond the largest number, that is what the layout has of them.
///
/// Time is walked once: what has died leaves a hole, and a new buffer takes the smallest hole that
/// holds it. The work is the number of buffers times the few holes, because rustc evaluates it.
pub const fn plan<const N: usize>(sizes: [usize; N], lives: [Life; N], whole: bool) -> Layout<N> {
    let mut offsets = [0; N];
    let (mut saved, mut live, mut least) = (0, 0, 0);
    let mut space = Space::<N>::new();
    let mut alive = Alive::<N>::new();
    let mut i = 0;
    while i < N {
        let ordered = i == 0 || lives[i - 1].first <= lives[i].first;
        assert!(ordered, "gradiron: lives are not in the order of their first op (a bug)");
        let size = padded(sizes[i]);
        if !whole && matches!(lives[i].part, Part::Saved) {
            // Saved memory outlives the function that plans it: nothing of it is used again.
            offsets[i] = saved;
            saved = plus(saved, size);
        } else if size > 0 {
            while let Some(dead) = alive.next_dead(&lives, lives[i].first) {
                space.give_back(offsets[dead], padded(sizes[dead]));
                live = minus(live, padded(sizes[dead]));
            }
            live = plus(live, size);
            least = if live > least { live } else { least };
            offsets[i] = space.take(size);
            alive.insert(i, &lives);
        }
        i += 1;
    }
    match whole {
        true => Layout { offsets, saved: space.end, scratch: 0, least },
        false => Layout { offsets, saved, scratch: space.end, least: plus(saved, least) },
    }
}

/// The buffers that are alive, as a list in the order of their deaths.
struct Alive<const N: usize> {
    head: usize,
    next: [usize; N],
}

impl<const N: usize> Alive<N> {
    const fn new() -> Self {
        Self { head: N, next: [N; N] }
    }

    /// What lives shortest is in front, where new buffers mostly belong.
    const fn insert(&mut self, new: usize, lives: &[Life; N]) {
        if self.head == N || lives[new].last <= lives[self.head].last {
            self.next[new] = self.head;
            self.head = new;
            return;
        }
        let mut at = self.head;
        while self.next[at] != N && lives[self.next[at]].last < lives[new].last {
            at = self.next[at];
        }
        self.next[new] = self.next[at];
        self.next[at] = new;
    }

    /// Takes out a buffer that died before op `now`.
    const fn next_dead(&mut self, lives: &[Life; N], now: u32) -> Option<usize> {
        let first = self.head;
        if first == N || lives[first].last >= now {
            return None;
        }
        self.head = self.next[first];
        Some(first)
    }
}

/// Memory in use up to `end`, with the holes in it in the order of their place.
struct Space<const N: usize> {
    end: usize,
    starts: [usize; N],
    ends: [usize; N],
    holes: usize,
}

impl<const N: usize> Space<N> {
    const fn new() -> Self {
        Self { end: 0, starts: [0; N], ends: [0; N], holes: 0 }
    }

    /// The start of `size` floats: in the smallest hole that holds them, or at the end.
    const fn take(&mut self, size: usize) -> usize {
        let (mut best, mut i) = (self.holes, 0);
        while i < self.holes {
            let room = self.ends[i] - self.starts[i];
            if room >= size && (best == self.holes || room < self.ends[best] - self.starts[best]) {
                best = i;
            }
            i += 1;
        }
        if best < self.holes {
            let start = self.starts[best];
            self.starts[best] += size;
            if self.starts[best] == self.ends[best] {
                self.remove(best);
            }
            return start;
        }
        // A hole at the end grows.
        let last = self.holes.wrapping_sub(1);
        let start = if self.holes > 0 && self.ends[last] == self.end {
            self.holes = last;
            self.starts[last]
        } else {
            self.end
        };
        self.end = plus(start, size);
        start
    }

    const fn give_back(&mut self, start: usize, size: usize) {
        let end = plus(start, size);
        let mut at = 0;
        while at < self.holes && self.ends[at] < start {
            at += 1;
        }
        let touches_left = at < self.holes && self.ends[at] == start;
        let right = if touches_left { at + 1 } else { at };
        let touches_right = right < self.holes && self.starts[right] == end;
        match (touches_left, touches_right) {
            (true, true) => {
                self.ends[at] = self.ends[right];
                self.remove(right);
            }
            (true, false) => self.ends[at] = end,
            (false, true) => self.starts[right] = start,
            (false, false) => {
                let mut i = self.holes;
                while i > at {
                    self.starts[i] = self.starts[i - 1];
                    self.ends[i] = self.ends[i - 1];
                    i -= 1;
                }
                self.starts[at] = start;
                self.ends[at] = end;
                self.holes += 1;
            }
        }
    }

    const fn remove(&mut self, hole: usize) {
        let mut i = hole + 1;
        while i < self.holes {
            self.starts[i - 1] = self.starts[i];
            self.ends[i - 1] = self.ends[i];
            i += 1;
        }
        self.holes -= 1;
    }
}

/// Hands out the ranges of the arena that are not planned, one behind the other: results, their
/// gradients, and the planned block.
#[derive(Clone, Copy, Debug, Default)]
pub struct Places {
    used: usize,
}

impl Places {
    /// The next `len` floats.
    #[inline]
    pub fn take(&mut self, len: usize) -> Buf {
        let start = self.used;
        self.used += padded(len);
        Buf::new(Region::Arena, start, len)
    }

    /// All that is left of an arena of `floats`.
    #[inline]
    pub fn rest(&mut self, floats: usize) -> Buf {
        self.take(floats - self.used)
    }
}
