//! What a thread works on: operands, the call, and a block of samples with its memory.

use super::{Inputs, RecurrentSpec};
use crate::device::{Buf, CpuKernels};
use crate::math::SimdLevel;
use crate::ops::matmul::{Panel, Tiling};
use crate::ops::{check_holds, product, sum};

/// An operand `[batch, steps, width]`; `[batch, width]` has one step.
#[derive(Clone, Copy)]
pub(super) struct Operand {
    pub(super) start: *mut f32,
    pub(super) steps: usize,
    pub(super) width: usize,
}

// SAFETY: an operand is a pointer and its sizes. Threads read operands, and write only rows of
// samples, and blocks of memory, that are theirs alone.
unsafe impl Sync for Operand {}

impl Operand {
    /// # Safety
    /// The operand has sample `n` and step `t`, and nobody writes the row meanwhile.
    pub(super) unsafe fn row<'a>(&self, n: usize, t: usize) -> &'a [f32] {
        // SAFETY: the row is inside the operand, whose memory is lent for the call, and nobody
        // writes it, which the caller promises.
        unsafe {
            std::slice::from_raw_parts(
                self.start.add((n * self.steps + t) * self.width),
                self.width,
            )
        }
    }

    /// # Safety
    /// The operand was made of memory to write and has sample `n` and step `t`, and nobody else
    /// uses the row meanwhile.
    pub(super) unsafe fn row_mut<'a>(&self, n: usize, t: usize) -> &'a mut [f32] {
        let at = (n * self.steps + t) * self.width;
        // SAFETY: the row is inside the operand, whose memory is lent to write, and nobody else
        // uses it, which the caller promises.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), self.width) }
    }
}

impl RecurrentSpec {
    /// Multiply-adds and functions of all steps.
    pub(super) fn work(&self) -> usize {
        product([self.batch, self.steps, self.width(), sum([self.hidden, 16])])
    }

    /// `[batch, steps, width]` or `[batch, width]`, read.
    pub(super) fn read(
        &self,
        step: &CpuKernels<'_>,
        buf: Buf,
        [steps, width]: [usize; 2],
    ) -> Operand {
        let buf = buf.part(0, product([self.batch, steps, width]));
        if step.is_observed() {
            step.note(&[buf], &[]);
        }
        Operand { start: step.read(buf).cast_mut(), steps, width }
    }

    /// The same, written.
    pub(super) fn write(
        &self,
        step: &CpuKernels<'_>,
        buf: Buf,
        [steps, width]: [usize; 2],
    ) -> Operand {
        let buf = buf.part(0, product([self.batch, steps, width]));
        if step.is_observed() {
            step.note(&[], &[buf]);
        }
        Operand { start: step.written(buf), steps, width }
    }

    pub(super) fn of_x(&self) -> [usize; 2] {
        [self.steps, self.width()]
    }

    pub(super) fn of_steps(&self) -> [usize; 2] {
        [self.steps, self.hidden]
    }

    pub(super) fn of_state(&self) -> [usize; 2] {
        [1, self.hidden]
    }
}

/// What both directions know of a call.
pub(super) struct Call<'a> {
    pub(super) level: SimdLevel,
    pub(super) spec: RecurrentSpec,
    pub(super) lengths: Option<&'a [u32]>,
    pub(super) packed: Operand,
    /// The memory of each block.
    pub(super) blocks: Operand,
    pub(super) first: [Option<Operand>; 2],
}

impl<'a> Call<'a> {
    pub(super) fn new(
        step: &CpuKernels<'a>,
        inputs: &Inputs,
        scratch: Buf,
        spec: RecurrentSpec,
    ) -> Self {
        let scratch = step.written(scratch.part(0, spec.scratch()));
        let packed = Operand { start: scratch, steps: 1, width: spec.packed() };
        // SAFETY: the scratch memory was checked for `spec.scratch()` floats: the packed weights
        // and behind them the blocks.
        let start = unsafe { scratch.add(spec.packed()) };
        let blocks = Operand { start, steps: 1, width: spec.block_floats() };
        let first = [inputs.h, inputs.c].map(|buf| Some(spec.read(step, buf?, spec.of_state())));
        let lengths = inputs.lengths.map(|lengths| step.indices(lengths));
        if let Some(lengths) = lengths {
            check_holds("the lengths of a recurrent layer", lengths.len(), spec.batch);
            let longest = lengths.iter().copied().max().unwrap_or(0);
            assert!(
                longest as usize <= spec.steps,
                "gradiron: a sequence of {longest} elements has {} steps (a bug)",
                spec.steps,
            );
        }
        Self { level: step.level(), spec, lengths, packed, blocks, first }
    }

    /// Packs the weights: `one(panel, first, cols)` for each panel of `cols` columns of `k` floats.
    pub(super) fn pack(&self, cols: usize, k: usize, one: impl Fn(*mut f32, usize, usize)) {
        let width = Tiling::of(self.level).cols;
        for first in (0..cols).step_by(width) {
            one(self.packed.start.wrapping_add(first * k), first, width.min(cols - first));
        }
    }

    pub(super) fn len(&self, n: usize) -> usize {
        self.lengths.map_or(self.spec.steps, |lengths| lengths[n] as usize)
    }

    /// The steps in their order.
    pub(super) fn steps(&self) -> impl DoubleEndedIterator<Item = usize> + use<> {
        let (steps, reverse) = (self.spec.steps, self.spec.reverse);
        (0..steps).map(move |at| if reverse { steps - 1 - at } else { at })
    }

    /// The cell of an LSTM before step `t`.
    ///
    /// # Safety
    /// `cells` has sample `n` and the steps of the call, of which `t` is one, and nobody writes it.
    pub(super) unsafe fn cell_before<'b>(
        &self,
        cells: &Operand,
        n: usize,
        t: usize,
    ) -> Option<&'b [f32]> {
        let before = match self.spec.reverse {
            true => (t + 1 < self.len(n)).then_some(t + 1),
            false => t.checked_sub(1),
        };
        // SAFETY: `before` is below the length of the sample, which is checked to be at most the
        // steps that the caller's `cells` have; the first cells have every sample.
        unsafe {
            match before {
                Some(before) => Some(cells.row(n, before)),
                None => self.first[1].map(|first| first.row(n, 0)),
            }
        }
    }
}

/// The samples of a block and its memory.
pub(super) struct Block<'a> {
    pub(super) samples: std::ops::Range<usize>,
    /// `[rows, gates · hidden]`
    pub(super) gates: &'a mut [f32],
    /// `[rows, hidden]`
    pub(super) h: &'a mut [f32],
    /// `[rows, hidden]`
    pub(super) c: &'a mut [f32],
    pub(super) zeros: &'a [f32],
    pub(super) spare: &'a mut [f32],
}

impl<'a> Block<'a> {
    /// # Safety
    /// `at` is below the spec's blocks, and nobody else has this block.
    pub(super) unsafe fn new(call: &Call<'_>, at: usize) -> Self {
        let s = call.spec;
        let rows = s.block_rows();
        let samples = at * rows..s.batch.min((at + 1) * rows);
        // SAFETY: the scratch memory has all blocks, and this one is the caller's alone.
        let memory: &'a mut [f32] = unsafe { call.blocks.row_mut(at, 0) };
        let (gates, rest) = memory.split_at_mut(rows * s.width());
        let (h, rest) = rest.split_at_mut(rows * s.hidden);
        let (c, rest) = rest.split_at_mut(rows * s.hidden);
        let (zeros, spare) = rest.split_at_mut(s.hidden);
        zeros.fill(0.0);
        Self { samples, gates, h, c, zeros, spare }
    }

    /// Fills the states with those of `from`, or zeros.
    ///
    /// # Safety
    /// The rows of the block's samples are there to read.
    pub(super) unsafe fn start(&mut self, from: [Option<Operand>; 2], hidden: usize) {
        for (state, from) in [&mut *self.h, &mut *self.c].into_iter().zip(from) {
            for (n, state) in self.samples.clone().zip(state.chunks_exact_mut(hidden)) {
                match from {
                    // SAFETY: the caller lends the rows of the block's samples, of which `n` is
                    // one.
                    Some(from) => state.copy_from_slice(unsafe { from.row(n, 0) }),
                    None => state.fill(0.0),
                }
            }
        }
    }

    /// Writes the states to `to`.
    ///
    /// # Safety
    /// The rows of the block's samples are lent to write.
    pub(super) unsafe fn end(&self, to: [Option<Operand>; 2], hidden: usize) {
        for (state, to) in [&*self.h, &*self.c].into_iter().zip(to) {
            let Some(to) = to else { continue };
            for (n, state) in self.samples.clone().zip(state.chunks_exact(hidden)) {
                // SAFETY: the caller lends the rows of the block's samples, of which `n` is one, to
                // write.
                unsafe { to.row_mut(n, 0) }.copy_from_slice(state);
            }
        }
    }
}

/// `c [rows, n] (+)= a [rows, k] · b [k, n]`, `b` packed in panels of columns.
///
/// # Safety
/// The packed form, `k` floats for each of `n` columns in whole panels, is there to read.
pub(super) unsafe fn multiply(
    level: SimdLevel,
    (c, accumulate): (&mut [f32], bool),
    a: &[f32],
    packed: &Operand,
    [rows, n, k]: [usize; 3],
) {
    assert!(a.len() >= rows * k && c.len() >= rows * n, "gradiron: a block is too small (a bug)");
    let tiling = Tiling::of(level);
    let each = tiling.panel_rows(rows);
    for row in (0..rows).step_by(each) {
        // SAFETY: rows `row..row + each` of `a` and `c`, cut at `rows`, which the assertion covers;
        // the caller lends the panels. `panel_rows` is at most `Tiling::rows`.
        unsafe {
            Panel {
                rows: each.min(rows - row),
                cols: n,
                k,
                a: a.as_ptr().add(row * k),
                a_row: k,
                a_k: 1,
                b: packed.start,
                b_row: tiling.cols,
                b_panel: tiling.cols * k,
                c: c.as_mut_ptr().add(row * n),
                c_row: n,
                accumulate,
            }
            .run(level);
        }
    }
}
