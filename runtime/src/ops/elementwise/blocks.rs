//! Chains a function at a time, over blocks: what crates that are not optimised run in place of
//! their own chains.
//!
//! A chain is a type of the crate of its model, so it is compiled there, with what loops over it;
//! where that is not optimised, each element costs dozens of calls. The functions here are compiled
//! with this library, which may be optimised by itself. The bits are the same: a function rounds
//! alike wherever it is compiled for an instruction set.

use crate::math::SimdLevel;

/// Floats of a block.
pub const LEN: usize = 128;

/// Functions of a chain, at most: so many blocks are on the stack.
pub const MOST: usize = 48;

/// A block.
pub type Block = [f32; LEN];

/// A function of at most four arguments, on a block of each.
pub type Function = fn(SimdLevel, &mut Block, [&Block; 4]);

/// What a function of a chain is given.
#[derive(Clone, Copy, Debug)]
pub enum Operand {
    /// An input of the chain.
    X(usize),
    /// What an earlier function made.
    T(usize),
    /// A constant that is known when the chain runs.
    C(usize),
    /// A number.
    N(f32),
}

/// A function of a chain, and what it is given.
#[derive(Clone, Copy, Debug)]
pub struct Link(pub Function, pub &'static [Operand]);

/// A chain: its functions, and which of them make the outputs.
#[derive(Clone, Copy, Debug)]
pub struct Blocks {
    /// In the order in which they run.
    pub links: &'static [Link],
    /// By their numbers.
    pub outputs: &'static [usize],
}

impl Blocks {
    /// A chain, where this library is to run it: in builds with debug assertions, unless it is too
    /// long.
    pub const fn new(
        is_debug: bool,
        links: &'static [Link],
        outputs: &'static [usize],
    ) -> Option<Self> {
        match is_debug && links.len() <= MOST {
            true => Some(Self { links, outputs }),
            false => None,
        }
    }
}

/// An input of a chain: where it starts, and the distance of neighbours along each axis of the
/// output, 0 along those it is repeated in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a> {
    pub start: *const f32,
    pub strides: &'a [usize],
    /// Whether it has an element for each of the output, in the same order.
    pub full: bool,
}

/// A chain and its memory.
pub(super) struct Map<'a, const IN: usize> {
    pub chain: Blocks,
    pub outputs: &'a [*mut f32],
    pub inputs: [Input<'a>; IN],
    pub dims: &'a [usize],
    pub constants: &'a [f32],
}

impl<const IN: usize> Map<'_, IN> {
    /// The chain for elements `start..end`.
    ///
    /// # Safety
    /// Each output has these elements, which are lent to this call alone, and each input the
    /// elements that belong to them, which nobody else writes but as outputs at the same places.
    pub unsafe fn run(&self, level: SimdLevel, start: usize, end: usize) {
        // SAFETY: the caller's promise, handed on.
        unsafe {
            run(
                level,
                self.chain,
                self.outputs,
                &self.inputs,
                (self.dims, self.constants),
                start..end,
            )
        }
    }
}

/// See [`Map::run`]: without generic parameters, so that it is compiled here.
///
/// # Safety
/// That of [`Map::run`].
unsafe fn run(
    level: SimdLevel,
    chain: Blocks,
    outputs: &[*mut f32],
    inputs: &[Input],
    (dims, constants): (&[usize], &[f32]),
    range: std::ops::Range<usize>,
) {
    let mut made = [[0.0; LEN]; MOST];
    // One block for each argument: inputs are put together anew for each function that reads them.
    // Outputs are written behind the last, since they may be the memory of inputs.
    let mut given = [[0.0; LEN]; 4];
    for at in range.clone().step_by(LEN) {
        let len = LEN.min(range.end - at);
        for (number, Link(function, operands)) in chain.links.iter().enumerate() {
            for (block, operand) in given.iter_mut().zip(*operands) {
                match operand {
                    // SAFETY: the caller's promise, of elements within the range.
                    Operand::X(i) => unsafe { gather(block, &inputs[*i], dims, at, len) },
                    Operand::C(i) => block.fill(constants[*i]),
                    Operand::N(number) => block.fill(*number),
                    Operand::T(_) => {}
                }
            }
            let (before, rest) = made.split_at_mut(number);
            let args = std::array::from_fn(|i| match operands.get(i) {
                Some(Operand::T(earlier)) => &before[*earlier],
                _ => &given[i],
            });
            function(level, &mut rest[0], args);
        }
        for (output, number) in outputs.iter().zip(chain.outputs) {
            // SAFETY: the output has `len` elements at `at`, lent to this call; `made` is on the
            // stack.
            unsafe {
                std::ptr::copy_nonoverlapping(made[*number].as_ptr(), output.add(at), len);
            }
        }
    }
}

/// Puts the elements of an input together that belong to `at..at + len` of the output.
///
/// # Safety
/// The input has these elements, and nobody writes them at the time.
unsafe fn gather(block: &mut Block, input: &Input, dims: &[usize], at: usize, len: usize) {
    if input.full {
        // SAFETY: a full input has an element for each of the output.
        unsafe { std::ptr::copy_nonoverlapping(input.start.add(at), block.as_mut_ptr(), len) };
        return;
    }
    let row = dims.last().copied().unwrap_or(1);
    let step = input.strides.last().copied().unwrap_or(0);
    let mut filled = 0;
    while filled < len {
        let (mut rest, mut offset) = (at + filled, 0);
        let column = rest % row;
        for (dim, stride) in dims.iter().zip(input.strides).rev() {
            offset += rest % dim * stride;
            rest /= dim;
        }
        let piece = (len - filled).min(row - column);
        let to = &mut block[filled..filled + piece];
        // SAFETY: the place is one of the output, so what the input has there is one of its
        // elements; along the last axis it has a neighbour for each of the output, or repeats.
        unsafe {
            let from = input.start.add(offset);
            match step {
                0 => to.fill(*from),
                _ => std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), piece),
            }
        }
        filled += piece;
    }
}

/// Defines the functions of `functions!` on blocks.
macro_rules! on_blocks {
    ($($name:ident($($arg:ident),*))*) => {
        /// The functions on blocks, by their names.
        #[doc(hidden)]
        pub mod on_blocks {
            use super::super::blocks::{Block, LEN};
            use crate::math::{SimdLevel, simd};

            $(pub fn $name(level: SimdLevel, y: &mut Block, args: [&Block; 4]) {
                simd! {
                    fn run<A>(y: &mut Block, $($arg: &Block),*) {
                        for e in 0..LEN {
                            y[e] = super::$name::<A>($($arg[e]),*);
                        }
                    }
                }
                let [$($arg,)* ..] = args;
                run(level, y, $($arg),*);
            })*

            /// All of them.
            #[cfg(test)]
            pub const ALL: &[(&str, super::super::blocks::Function)] =
                &[$((stringify!($name), $name)),*];
        }
    };
}

pub(super) use on_blocks;
