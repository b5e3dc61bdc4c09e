//! Chains on the CPU. The outputs are cut into blocks, short rows several at a time. The inputs of
//! a block are copied to the stack, computed there and copied out: LLVM then knows that nothing
//! overlaps, and an output may be an input's memory.

use std::marker::PhantomData;

use super::{Elementwise, Map, Operands, blocks};
use crate::device::{Buf, CpuKernels};
use crate::math::{Arith, Body, Far, SimdLevel};
use crate::ops::product;

/// Floats of a block.
const BLOCK: usize = 64;
/// Floats that are written at once; so much memory is behind each block.
const WIDTH: usize = 16;
/// Elements that one thread takes at a time.
const CHUNK: usize = 1 << 13;
/// Estimated operations an element.
const WORK: usize = 4;

impl Map for CpuKernels<'_> {
    fn map<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
        &mut self,
        outputs: [Buf; OUT],
        inputs: [(Buf, [bool; R]); IN],
        dims: [usize; R],
        constants: [f32; S],
    ) where
        E: Elementwise<IN, OUT, S>,
    {
        if self.is_observed() {
            self.note(&inputs.map(|(buf, _)| buf), &outputs);
        }
        let map = self.mapped::<E, IN, OUT, S, R>(Operands { outputs, inputs, dims, constants });
        let (level, len) = (self.level(), map.len);
        self.threads().run_if(WORK * len, len.div_ceil(CHUNK), &|chunk| {
            let start = chunk * CHUNK;
            // SAFETY: chunks are apart, and this step, which is borrowed until the last of them has
            // ended, has the memory of the chain to itself. `mapped` checked that inputs without
            // all axes are no output's memory.
            unsafe { map.run(level, start, CHUNK.min(len - start)) }
        });
    }
}

impl CpuKernels<'_> {
    /// A chain, its memory checked.
    ///
    /// # Panics
    /// When a range is too short, or an output overlaps what it may not overlap. The plan rules
    /// this out, so it would be a bug of this library.
    fn mapped<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
        &self,
        Operands { outputs, inputs, dims, constants }: Operands<IN, OUT, S, R>,
    ) -> Mapped<E, IN, OUT, S, R> {
        let len = product(dims);
        // An axis of one element is there or not, as one likes: `[]` in the place of `[1]`.
        let is_full = |has: &[bool; R]| has.iter().zip(dims).all(|(has, dim)| *has || dim == 1);
        for (i, output) in outputs.iter().enumerate() {
            assert!(output.len >= len, "gradiron: a chain's output is too small (a bug)");
            let apart = outputs[..i].iter().all(|other| !output.overlaps(*other))
                && inputs.iter().all(|(input, has)| {
                    !output.overlaps(*input) || (input.start == output.start && is_full(has))
                });
            assert!(apart, "gradiron: a chain's output is in use (a bug)");
        }
        let inputs = inputs.map(|(buf, has)| {
            let input = Input::new(self.read(buf), dims, has);
            assert!(buf.len >= input.len, "gradiron: a chain's input is too small (a bug)");
            input
        });
        let outputs = outputs.map(|buf| self.written(buf));
        let full = inputs.iter().all(|input| input.full);
        Mapped { outputs, inputs, dims, len, full, constants, chain: PhantomData }
    }

    /// The chain that follows a kernel which makes the first of `writes` from `reads`, for its
    /// finish.
    ///
    /// # Panics
    /// When the chain's memory is wrong, see above; when its first input is not that result, and
    /// when the kernel and the chain would write what the other one reads or writes.
    pub(crate) fn follow<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
        &self,
        writes: &[Buf],
        reads: &[Buf],
        then: Operands<IN, OUT, S, R>,
    ) -> Mapped<E, IN, OUT, S, R> {
        if self.is_observed() {
            then.inputs[1..].iter().for_each(|(buf, _)| self.note(&[*buf], &[]));
            self.note(&[], &then.outputs);
        }
        let map = self.mapped::<E, IN, OUT, S, R>(then);
        let result = writes[0];
        let first = then.inputs.first().is_some_and(|(buf, _)| *buf == result);
        let matches = first && map.inputs[0].full && map.len == result.len;
        assert!(matches, "gradiron: a chain does not read the result that it follows (a bug)");
        let mut others = then.inputs[1..].iter().map(|(input, _)| *input);
        let outside = |buf: Buf, of: &[Buf]| of.iter().all(|other| !buf.overlaps(*other));
        let apart = others.all(|input| outside(input, writes))
            && then.outputs.iter().all(|o| outside(*o, reads) && outside(*o, &writes[1..]));
        assert!(apart, "gradiron: a chain's memory is in use (a bug)");
        map
    }
}

struct Input<const R: usize> {
    start: *const f32,
    len: usize,
    /// The distance of neighbours along each axis, 0 along those it is repeated in.
    strides: [usize; R],
    /// The stride of the last axis.
    step: usize,
    /// Whether it has an element for each of the output, in the same order.
    full: bool,
}

impl<const R: usize> Input<R> {
    fn new(start: *const f32, dims: [usize; R], has: [bool; R]) -> Self {
        let (mut strides, mut len, mut full) = ([0; R], 1, true);
        for axis in (0..R).rev() {
            if has[axis] {
                strides[axis] = len;
                len = product([len, dims[axis]]);
            }
            full &= has[axis] || dims[axis] == 1;
        }
        Self { start, len, strides, step: strides.last().copied().unwrap_or(0), full }
    }
}

/// A chain and its memory.
pub(crate) struct Mapped<E, const IN: usize, const OUT: usize, const S: usize, const R: usize> {
    outputs: [*mut f32; OUT],
    inputs: [Input<R>; IN],
    dims: [usize; R],
    len: usize,
    /// Whether all inputs are.
    full: bool,
    constants: [f32; S],
    chain: PhantomData<fn() -> E>,
}

// SAFETY: only `run` uses the pointers; its callers promise that ranges are apart, and no range
// reads an element that another one writes: `mapped` checked that outputs overlap only inputs of
// the same elements. Constants are floats, and no value of `E` is kept.
unsafe impl<E, const IN: usize, const OUT: usize, const S: usize, const R: usize> Sync
    for Mapped<E, IN, OUT, S, R>
{
}

impl<E, const IN: usize, const OUT: usize, const S: usize, const R: usize> Mapped<E, IN, OUT, S, R>
where
    E: Elementwise<IN, OUT, S>,
{
    /// The chain for elements `start..start + len`.
    ///
    /// # Safety
    /// The memory is that of the step which made this, nobody else uses these elements of it at
    /// the time, and nobody writes those of inputs without all axes.
    pub(crate) unsafe fn run(&self, level: SimdLevel, start: usize, len: usize) {
        assert!(start <= self.len && len <= self.len - start, "a part leaves its chain");
        // An empty chain may have empty axes, in which nothing has a place.
        if len == 0 {
            return;
        }
        match E::BLOCKS.filter(|_| !E::TURNS) {
            None => level.run(Chunk { map: self, start, end: start + len }),
            Some(chain) => {
                let inputs = self.inputs.each_ref().map(|input| blocks::Input {
                    start: input.start,
                    strides: &input.strides,
                    full: input.full,
                });
                let map = blocks::Map {
                    chain,
                    outputs: &self.outputs,
                    inputs,
                    dims: &self.dims,
                    constants: &self.constants,
                };
                // SAFETY: the promise of the caller, of the memory that `mapped` checked.
                unsafe { map.run(level, start, start + len) }
            }
        }
    }
}

/// A place in the rows of the output, and where the inputs of that row start.
struct Place<const IN: usize, const R: usize> {
    index: [usize; R],
    column: usize,
    offsets: [usize; IN],
}

impl<const IN: usize, const R: usize> Place<IN, R> {
    #[inline(always)]
    fn new<E, const OUT: usize, const S: usize>(map: &Mapped<E, IN, OUT, S, R>, at: usize) -> Self {
        let mut place = Self { index: [0; R], column: 0, offsets: [0; IN] };
        let mut rest = at;
        for axis in (0..R).rev() {
            place.index[axis] = rest % map.dims[axis];
            rest /= map.dims[axis];
            if axis == R - 1 {
                place.column = place.index[axis];
                continue;
            }
            for (offset, input) in place.offsets.iter_mut().zip(&map.inputs) {
                *offset += place.index[axis] * input.strides[axis];
            }
        }
        place
    }

    #[inline(always)]
    fn next_row<E, const OUT: usize, const S: usize>(&mut self, map: &Mapped<E, IN, OUT, S, R>) {
        self.column = 0;
        for axis in (0..R.saturating_sub(1)).rev() {
            self.index[axis] += 1;
            for (offset, input) in self.offsets.iter_mut().zip(&map.inputs) {
                *offset += input.strides[axis];
            }
            if self.index[axis] < map.dims[axis] {
                return;
            }
            self.index[axis] = 0;
            for (offset, input) in self.offsets.iter_mut().zip(&map.inputs) {
                *offset -= input.strides[axis] * map.dims[axis];
            }
        }
    }

    /// Where each input of the `len` elements at `at` is: in place, or put together in `blocks`.
    #[inline(always)]
    fn block<E, const OUT: usize, const S: usize>(
        &mut self,
        map: &Mapped<E, IN, OUT, S, R>,
        blocks: &mut [[f32; BLOCK + WIDTH]; IN],
        at: usize,
        len: usize,
    ) -> [*const f32; IN] {
        let row = map.dims.last().copied().unwrap_or(1);
        // The only way to the blocks until they have been read: a second borrow would end what was
        // derived from the first.
        let blocks = blocks.each_mut().map(|block| block.as_mut_ptr());
        let mut from = blocks.map(|block| block.cast_const());
        // SAFETY: `mapped` checked that the input has all elements of its axes, and this place is
        // one of the output, so what it has there is one of them.
        let start = |place: &Self, i: usize| unsafe {
            map.inputs[i].start.add(place.offsets[i] + place.column * map.inputs[i].step)
        };
        if len == BLOCK && row - self.column >= BLOCK {
            for i in 0..IN {
                let first = start(self, i);
                if map.inputs[i].step != 0 {
                    from[i] = first;
                    continue;
                }
                // SAFETY: `first` is an element of the input, and `blocks[i]` the start of a block,
                // which is written whole.
                unsafe { blocks[i].cast::<[f32; BLOCK + WIDTH]>().write([*first; BLOCK + WIDTH]) };
            }
            self.advance(map, BLOCK);
            return from;
        }
        for i in 0..IN {
            if map.inputs[i].full {
                // SAFETY: a full input has an element for each of the output, so `len` of them at
                // `at`; `len` is at most `BLOCK`, which a block has room for.
                unsafe {
                    let start = map.inputs[i].start.add(at);
                    match len {
                        BLOCK => from[i] = start,
                        _ => std::ptr::copy_nonoverlapping(start, blocks[i], len),
                    }
                }
            }
        }
        let mut filled = if map.full { len } else { 0 };
        while filled < len {
            let piece = (len - filled).min(row - self.column);
            for i in (0..IN).filter(|&i| !map.inputs[i].full) {
                let from = start(self, i);
                // SAFETY: the input has `piece` elements more in this row, or one that is repeated;
                // `filled + piece` is at most `BLOCK`, and `WIDTH` floats follow a block.
                unsafe {
                    let to = blocks[i].add(filled);
                    if map.inputs[i].step != 0 {
                        std::ptr::copy_nonoverlapping(from, to, piece);
                        continue;
                    }
                    // Whole registers: what is written too much comes before the next piece.
                    for at in (0..piece).step_by(WIDTH) {
                        to.add(at).cast::<[f32; WIDTH]>().write([*from; WIDTH]);
                    }
                }
            }
            filled += piece;
            self.advance(map, piece);
        }
        from
    }

    /// Goes on by `by` elements, at most to the end of the row.
    #[inline(always)]
    fn advance<E, const OUT: usize, const S: usize>(
        &mut self,
        map: &Mapped<E, IN, OUT, S, R>,
        by: usize,
    ) {
        self.column += by;
        if self.column == map.dims.last().copied().unwrap_or(1) {
            self.next_row(map);
        }
    }
}

/// Computes a block again where one of its angles needs it.
#[inline(always)]
fn far<A: Arith, E, const IN: usize, const OUT: usize, const S: usize>(
    y: &mut [[f32; BLOCK]; OUT],
    x: &[[f32; BLOCK]; IN],
    constants: [f32; S],
) where
    E: Elementwise<IN, OUT, S>,
{
    let element = |e: usize| std::array::from_fn(|i| x[i][e]);
    let far: u32 = (0..BLOCK).map(|e| u32::from(E::is_far::<A>(element(e), constants))).sum();
    if far == 0 {
        return;
    }
    for e in 0..BLOCK {
        let element = E::eval::<Far<A>>(element(e), constants);
        for (y, element) in y.iter_mut().zip(element) {
            y[e] = element;
        }
    }
}

struct Chunk<'a, E, const IN: usize, const OUT: usize, const S: usize, const R: usize> {
    map: &'a Mapped<E, IN, OUT, S, R>,
    start: usize,
    end: usize,
}

impl<E, const IN: usize, const OUT: usize, const S: usize, const R: usize> Body
    for Chunk<'_, E, IN, OUT, S, R>
where
    E: Elementwise<IN, OUT, S>,
{
    type Output = ();

    #[inline(always)]
    fn run<A: Arith>(self) {
        let map = self.map;
        let mut place = Place::new(map, self.start);
        // Behind a short block is what an earlier one left: computed and not used.
        let mut blocks = [[0.0; BLOCK + WIDTH]; IN];
        for at in (self.start..self.end).step_by(BLOCK) {
            let len = BLOCK.min(self.end - at);
            let from = place.block(map, &mut blocks, at, len);
            // SAFETY: `block` gives `BLOCK` elements of an input, which is not written before they
            // are copied, or a block on the stack, which is initialised; a block is used by nothing
            // else in between.
            let x = from.map(|from| unsafe { from.cast::<[f32; BLOCK]>().read() });
            let mut y = [[0.0; BLOCK]; OUT];
            for e in 0..BLOCK {
                let element = E::eval::<A>(std::array::from_fn(|i| x[i][e]), map.constants);
                for o in 0..OUT {
                    y[o][e] = element[o];
                }
            }
            if E::TURNS {
                far::<A, E, IN, OUT, S>(&mut y, &x, map.constants);
            }
            for (block, output) in y.iter().zip(map.outputs) {
                // SAFETY: `mapped` checked that the output has all elements, of which
                // `at..at + len` are lent to this call alone, the promise of `Mapped::run`; `y` is
                // on the stack.
                unsafe {
                    match len {
                        BLOCK => output.add(at).cast::<[f32; BLOCK]>().write(*block),
                        _ => std::ptr::copy_nonoverlapping(block.as_ptr(), output.add(at), len),
                    }
                }
            }
        }
    }
}
