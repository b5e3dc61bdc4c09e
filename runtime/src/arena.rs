//! The plan of a step's memory: from sizes and lifetimes to offsets, before anything runs.

use crate::device::{Buf, Region};

/// The run-time sizes of a model, in the order of their first appearance; 1 where there are fewer.
pub type Sizes = [usize; 4];

/// Every buffer starts on a cache line: a multiple of this many floats.
pub const ALIGN: usize = 16;

/// `len` floats, rounded up to whole cache lines.
pub const fn padded(len: usize) -> usize {
    len.div_ceil(ALIGN) * ALIGN
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

    /// Whether two buffers are needed by one op.
    pub const fn meets(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
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
}

/// Offsets for buffers of `sizes` floats, such that no two that live at once overlap.
///
/// With `whole`, one block serves forward and backward, and what the forward pass saved is used
/// again as soon as the backward pass has read it. Otherwise a function's saved memory and its
/// scratch memory are two blocks, because others run between its two passes.
///
/// Larger buffers are placed first, each at the lowest offset that is free throughout its life
/// ("greedy by size", Pisarchyk & Lee 2020).
pub const fn plan<const N: usize>(sizes: [usize; N], lives: [Life; N], whole: bool) -> Layout<N> {
    let mut offsets = [0; N];
    let mut placed = [false; N];
    let (mut saved, mut scratch) = (0, 0);
    let mut round = 0;
    while round < N {
        let next = largest(&sizes, &placed);
        let offset = lowest_gap(next, &sizes, &lives, &offsets, &placed, whole);
        offsets[next] = offset;
        placed[next] = true;
        let end = offset + padded(sizes[next]);
        if whole || matches!(lives[next].part, Part::Saved) {
            saved = max(&[saved, end]);
        } else {
            scratch = max(&[scratch, end]);
        }
        round += 1;
    }
    Layout { offsets, saved, scratch }
}

const fn largest<const N: usize>(sizes: &[usize; N], placed: &[bool; N]) -> usize {
    let (mut best, mut i) = (N, 0);
    while i < N {
        if !placed[i] && (best == N || sizes[i] > sizes[best]) {
            best = i;
        }
        i += 1;
    }
    best
}

/// Whether two buffers must not share memory.
const fn conflict(a: &Life, b: &Life, whole: bool) -> bool {
    let one_block = matches!(
        (a.part, b.part),
        (Part::Saved, Part::Saved)
            | (Part::Forward | Part::Backward, Part::Forward | Part::Backward)
    );
    // Saved memory outlives the function that plans it.
    let both_saved = !whole && matches!((a.part, b.part), (Part::Saved, Part::Saved));
    (whole || one_block) && (both_saved || a.meets(b))
}

const fn lowest_gap<const N: usize>(
    next: usize,
    sizes: &[usize; N],
    lives: &[Life; N],
    offsets: &[usize; N],
    placed: &[bool; N],
    whole: bool,
) -> usize {
    let size = padded(sizes[next]);
    let mut offset = 0;
    // Each pass moves past every buffer in the way; it ends when none is.
    loop {
        let (mut moved, mut i) = (false, 0);
        while i < N {
            if placed[i] && conflict(&lives[next], &lives[i], whole) {
                let end = offsets[i] + padded(sizes[i]);
                if offset < end && offsets[i] < offset + size {
                    offset = end;
                    moved = true;
                }
            }
            i += 1;
        }
        if !moved {
            return offset;
        }
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
    pub fn take(&mut self, len: usize) -> Buf {
        let start = self.used;
        self.used += padded(len);
        Buf::new(Region::Arena, start, len)
    }

    /// All that is left of an arena of `floats`.
    pub fn rest(&mut self, floats: usize) -> Buf {
        self.take(floats - self.used)
    }
}
