//! Elementwise operations: any chain of them in one pass over memory.
//!
//! `y = f(x₀, x₁, …)` for each element, with the inputs repeated along the axes that they do not
//! have. `f` is a chain of [`functions`], put together by `model!`.

pub mod blocks;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod functions;
pub mod reference;
#[cfg(any(feature = "cuda", test))]
mod source;
mod tiny;

use crate::device::Buf;
use crate::math::Arith;
use crate::ops::kernels;

/// A chain of elementwise functions of `IN` inputs, `OUT` outputs and `S` constants.
pub trait Elementwise<const IN: usize, const OUT: usize, const S: usize> {
    /// The chain in the notation of C: what a device with a compiler of its own builds.
    const TEXT: &'static str;

    /// What a library of products may compute as a part of the product that the chain follows, in
    /// place of the chain.
    const EPILOGUE: Option<Epilogue> = None;

    /// What the library runs in place of `eval`, where the crate of the chain is not optimised: the
    /// same, a function at a time.
    const BLOCKS: Option<blocks::Blocks> = None;

    /// Whether the chain has sines or cosines, whose angles may be beyond
    /// [`MOST_ANGLE`](crate::math::MOST_ANGLE).
    const TURNS: bool = false;

    /// The chain for one element.
    fn eval<A: Arith>(x: [f32; IN], constants: [f32; S]) -> [f32; OUT];

    /// Whether one of its angles is: then `eval` needs [`Far`](crate::math::Far).
    #[inline(always)]
    fn is_far<A: Arith>(_x: [f32; IN], _constants: [f32; S]) -> bool {
        false
    }
}

/// What libraries of products compute of a product `x0` as soon as they have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epilogue {
    /// `x0 + x1`
    Bias,
    /// `max(x0 + x1, 0)`
    BiasRelu,
}

/// What a chain runs over.
#[derive(Clone, Copy, Debug)]
pub struct Operands<const IN: usize, const OUT: usize, const S: usize, const R: usize> {
    /// The memory of the outputs.
    pub outputs: [Buf; OUT],
    /// The memory of each input, and which axes it has.
    pub inputs: [(Buf, [bool; R]); IN],
    /// The sizes of the outputs.
    pub dims: [usize; R],
    /// The constants of the chain.
    pub constants: [f32; S],
}

/// [`Operands`] as generated code writes them.
#[inline(always)]
pub const fn operands<const IN: usize, const OUT: usize, const S: usize, const R: usize>(
    outputs: [Buf; OUT],
    inputs: [(Buf, [bool; R]); IN],
    dims: [usize; R],
    constants: [f32; S],
) -> Operands<IN, OUT, S, R> {
    Operands { outputs, inputs, dims, constants }
}

kernels! {
    #[tiny]
    /// Runs chains over memory.
    pub trait Map {
        /// The outputs have the sizes `dims`; an input has those axes of `dims` that it marks, and
        /// is repeated along the others. An output may be the memory of an input that has all axes.
        fn map<
            E: Elementwise<IN, OUT, S>,
            const IN: usize,
            const OUT: usize,
            const S: usize,
            const R: usize,
        >(
            &mut self,
            outputs: [Buf; OUT],
            inputs: [(Buf, [bool; R]); IN],
            dims: [usize; R],
            constants: [f32; S],
        );
    }
}
