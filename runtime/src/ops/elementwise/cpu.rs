//! Chains on the CPU. Rows are cut into blocks that are copied to the stack, computed there and
//! copied out: LLVM then knows that nothing overlaps, and an output may be an input's memory.

use super::{Elementwise, Map};
use crate::device::{Buf, CpuStep};
use crate::math::{Arith, Body};

/// Floats of a block.
const BLOCK: usize = 64;
/// Elements that one thread takes at a time.
const CHUNK: usize = 1 << 13;
/// Estimated operations an element.
const WORK: usize = 4;

impl Map for CpuStep<'_> {
    fn map<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
        &mut self,
        outputs: [Buf; OUT],
        inputs: [(Buf, [bool; R]); IN],
        dims: [usize; R],
        constants: [f32; S],
    ) where
        E: Elementwise<IN, OUT, S>,
    {
        let len: usize = dims.iter().product();
        for (i, output) in outputs.iter().enumerate() {
            assert!(output.len >= len, "gradiron: a chain's output is too small (a bug)");
            let apart = outputs[..i].iter().all(|other| !output.overlaps(*other))
                && inputs.iter().all(|(input, has)| {
                    !output.overlaps(*input)
                        || (input.start == output.start && has.iter().all(|has| *has))
                });
            assert!(apart, "gradiron: a chain's output is in use (a bug)");
        }
        let inputs = inputs.map(|(buf, has)| {
            let own: usize = dims.iter().zip(has).filter(|(_, has)| *has).map(|(d, _)| d).product();
            assert!(buf.len >= own, "gradiron: a chain's input is too small (a bug)");
            let (strides, step) = strides(dims, has);
            Input { start: self.read(buf), strides, step }
        });
        let outputs = outputs.map(|buf| self.written(buf));
        let rows = Rows { outputs, inputs, dims, constants };
        let (level, threads) = (self.level(), self.threads());
        let row = dims.last().copied().unwrap_or(1);
        let (count, each) = match row {
            0 => return,
            // Long rows are cut, short ones are taken together.
            row if row >= CHUNK => (len / row * row.div_ceil(CHUNK), 0),
            row => ((len / row).div_ceil((CHUNK / row).max(1)), (CHUNK / row).max(1)),
        };
        threads.run_if(WORK * len, count, &|chunk| {
            let range = match each {
                0 => {
                    let pieces = row.div_ceil(CHUNK);
                    let (r, from) = (chunk / pieces, chunk % pieces * CHUNK);
                    Range { rows: r..r + 1, from, to: row.min(from + CHUNK) }
                }
                each => {
                    let first = chunk * each;
                    Range { rows: first..(first + each).min(len / row), from: 0, to: row }
                }
            };
            level.run(Run::<E, IN, OUT, S, R> {
                rows: &rows,
                range,
                chain: std::marker::PhantomData,
            });
        });
    }
}

/// The step of an input for each axis in front of the last, and whether it has the last.
fn strides<const R: usize>(dims: [usize; R], has: [bool; R]) -> ([usize; R], usize) {
    let mut strides = [0; R];
    let mut stride = 1;
    for axis in (0..R).rev() {
        if has[axis] {
            strides[axis] = stride;
            stride *= dims[axis];
        }
    }
    let step = strides.last().copied().unwrap_or(0);
    (strides, step)
}

struct Input<const R: usize> {
    start: *const f32,
    strides: [usize; R],
    /// 1 along a row that the input has, 0 along one it is repeated in.
    step: usize,
}

struct Rows<const IN: usize, const OUT: usize, const S: usize, const R: usize> {
    outputs: [*mut f32; OUT],
    inputs: [Input<R>; IN],
    dims: [usize; R],
    constants: [f32; S],
}

// SAFETY: chunks write different elements, and no chunk reads an element that another one writes:
// outputs overlap only inputs of the same elements.
unsafe impl<const IN: usize, const OUT: usize, const S: usize, const R: usize> Sync
    for Rows<IN, OUT, S, R>
{
}

/// Some rows, or a part of one.
struct Range {
    rows: std::ops::Range<usize>,
    from: usize,
    to: usize,
}

struct Run<'a, E, const IN: usize, const OUT: usize, const S: usize, const R: usize> {
    rows: &'a Rows<IN, OUT, S, R>,
    range: Range,
    chain: std::marker::PhantomData<E>,
}

impl<E, const IN: usize, const OUT: usize, const S: usize, const R: usize> Body
    for Run<'_, E, IN, OUT, S, R>
where
    E: Elementwise<IN, OUT, S>,
{
    type Output = ();

    #[inline(always)]
    fn run<A: Arith>(self) {
        let rows = self.rows;
        let row_len = rows.dims.last().copied().unwrap_or(1);
        for row in self.range.rows {
            let mut starts = [0; IN];
            for (start, input) in starts.iter_mut().zip(&rows.inputs) {
                let mut rest = row;
                for axis in (0..R.saturating_sub(1)).rev() {
                    *start += rest % rows.dims[axis] * input.strides[axis];
                    rest /= rows.dims[axis];
                }
            }
            let mut at = self.range.from;
            while at < self.range.to {
                let len = BLOCK.min(self.range.to - at);
                let mut x = [[0.0; BLOCK]; IN];
                for i in 0..IN {
                    let input = &rows.inputs[i];
                    // SAFETY: `map` checked that the input has all elements of its axes, and
                    // `row` and `at + len` are inside them; the block is on the stack.
                    unsafe {
                        let from = input.start.add(starts[i] + at * input.step);
                        if input.step == 0 {
                            x[i] = [*from; BLOCK];
                        } else {
                            std::ptr::copy_nonoverlapping(from, x[i].as_mut_ptr(), len);
                        }
                    }
                }
                let mut y = [[0.0; BLOCK]; OUT];
                for e in 0..BLOCK {
                    let element = E::eval::<A>(std::array::from_fn(|i| x[i][e]), rows.constants);
                    for o in 0..OUT {
                        y[o][e] = element[o];
                    }
                }
                for (block, output) in y.iter().zip(rows.outputs) {
                    // SAFETY: `map` checked the size of the output; see `Sync` for other threads.
                    unsafe {
                        let to = output.add(row * row_len + at);
                        std::ptr::copy_nonoverlapping(block.as_ptr(), to, len);
                    }
                }
                at += len;
            }
        }
    }
}
