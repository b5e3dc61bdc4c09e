//! The planned memory of a pass: ranges by the numbers of buffers.

use crate::buf::Buf;
use crate::device::{Kernels, Target};
use crate::function::{HEADER, TARGET};
use crate::layout::shortens;
use crate::want::Want;

/// The buffers of a pass, by their numbers in the plan of its function.
///
/// Where kernels are inlined the target is a processor with values in floats, and rustc leaves out
/// what else there is.
#[derive(Clone, Copy, Debug)]
pub struct Memory<'a> {
    offsets: &'a [usize],
    saved: Buf,
    scratch: Buf,
    /// Whether what only gradients of parameters need is not saved.
    shortens: bool,
    /// What the memory was planned for.
    pub target: Target,
}

impl<'a> Memory<'a> {
    /// The memory that lasts from the forward to the backward pass, and that of the pass.
    #[inline(always)]
    pub fn new<K: Kernels>(offsets: &'a [usize], want: Want, saved: Buf, scratch: Buf) -> Self {
        let target = Target::from_number(if K::INLINE { 0 } else { offsets[TARGET] });
        // Where there is no backward pass, all memory is that of this one.
        let saved = if want.is_still() { scratch } else { saved };
        Self { offsets, saved, scratch, shortens: shortens(want, target), target }
    }

    #[inline(always)]
    fn at(&self, buffer: usize) -> usize {
        self.offsets[HEADER + buffer]
    }

    /// Floats that last from the forward to the backward pass.
    #[inline(always)]
    pub fn saved(&self, buffer: usize, len: usize) -> Buf {
        self.saved.part(self.at(buffer), len)
    }

    /// Values that do.
    #[inline(always)]
    pub fn saved_values(&self, buffer: usize, len: usize) -> Buf {
        self.saved.values(self.at(buffer), len, self.target.are_halves())
    }

    /// Floats that last to where the backward pass makes gradients of parameters.
    #[inline(always)]
    pub fn for_params(&self, buffer: usize, len: usize) -> Buf {
        if self.shortens { self.scratch(buffer, len) } else { self.saved(buffer, len) }
    }

    /// Values that do.
    #[inline(always)]
    pub fn for_params_values(&self, buffer: usize, len: usize) -> Buf {
        if self.shortens {
            self.scratch_values(buffer, len)
        } else {
            self.saved_values(buffer, len)
        }
    }

    /// [`kept`](Self::kept) for gradients of parameters.
    #[inline(always)]
    pub fn kept_for_params(&self, buffer: usize, len: usize) -> Buf {
        if self.shortens { self.scratch(buffer, len) } else { self.kept(buffer, len) }
    }

    /// The same of values.
    #[inline(always)]
    pub fn kept_for_params_values(&self, buffer: usize, len: usize) -> Buf {
        if self.shortens { self.scratch_values(buffer, len) } else { self.kept_values(buffer, len) }
    }

    /// Floats of this pass.
    #[inline(always)]
    pub fn scratch(&self, buffer: usize, len: usize) -> Buf {
        self.scratch.part(self.at(buffer), len)
    }

    /// Values of this pass.
    #[inline(always)]
    pub fn scratch_values(&self, buffer: usize, len: usize) -> Buf {
        self.scratch.values(self.at(buffer), len, self.target.are_halves())
    }

    /// Floats of this pass that the kernels of the host need alone.
    #[inline(always)]
    pub fn on_host(&self, buffer: usize, len: usize) -> Buf {
        self.scratch(buffer, if self.target.on_host() { len } else { 0 })
    }

    /// Floats that the backward pass reads: as they are, or where values are kept in bf16 between
    /// the passes, a copy.
    #[inline(always)]
    pub fn kept(&self, buffer: usize, len: usize) -> Buf {
        match self.target.are_halves_between() {
            true => self.scratch(buffer, len),
            false => self.saved(buffer, len),
        }
    }

    /// The same of values.
    #[inline(always)]
    pub fn kept_values(&self, buffer: usize, len: usize) -> Buf {
        match self.target.are_halves_between() {
            true => self.scratch_values(buffer, len),
            false => self.saved_values(buffer, len),
        }
    }

    /// The copy in bf16 of values, in the place of so many floats, where there is one.
    #[inline(always)]
    pub fn bf16(&self, buffer: usize, floats: usize) -> Buf {
        match self.target.are_halves_between() {
            true => self.saved(buffer, floats),
            false => self.saved.part(0, 0),
        }
    }

    /// What that copy is widened into, floats; where there is none, the buffer `of`.
    #[inline(always)]
    pub fn widened(&self, buffer: usize, of: usize, len: usize) -> Buf {
        match self.target.are_halves_between() {
            true => self.scratch(buffer, len),
            false => self.saved(of, len),
        }
    }

    /// The same of values.
    #[inline(always)]
    pub fn widened_values(&self, buffer: usize, of: usize, len: usize) -> Buf {
        match self.target.are_halves_between() {
            true => self.scratch_values(buffer, len),
            false => self.saved_values(of, len),
        }
    }

    /// Whether the operation `number`, which converts from bf16 or to it, is a part of the pass.
    #[inline(always)]
    pub fn converts<K: Kernels>(&self, k: &mut K, number: usize) -> bool {
        let converts = self.target.are_halves_between();
        if converts {
            k.op(number);
        }
        converts
    }

    /// Nothing, in the place of what is not asked for.
    #[inline(always)]
    pub fn nothing(&self) -> Buf {
        self.scratch.part(0, 0)
    }
}
