//! What a workspace knows of a model before it runs.

use crate::arena::{Sizes, padded};
use crate::device::{Buf, Kernels, PerSide, Target};
use crate::module::Module;

/// What a function is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// The results alone.
    Infer,
    /// The gradients of the parameters.
    Grad,
    /// Those of the float arguments as well.
    GradInputs,
    /// The results of the next positions of sequences.
    Step,
}

/// The memory of one function, as planned for a workspace's sizes.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct FunctionPlan {
    /// Floats of the arena, by pass.
    pub(crate) floats: [usize; 4],
    pub(crate) indices: usize,
    /// Offsets of the planned buffers, by pass.
    pub(crate) offsets: [Vec<usize>; 4],
}

impl FunctionPlan {
    /// Leaves out what makes gradients.
    pub(crate) fn only_infer(&mut self) {
        for pass in [Pass::Grad, Pass::GradInputs] {
            self.floats[pass as usize] = 0;
            self.offsets[pass as usize] = Vec::new();
        }
    }
}

/// Where what inference prepares lies, one value behind another.
#[derive(Clone, Copy, Debug)]
pub struct PreparedAt<const N: usize> {
    at: [usize; N],
    lens: [usize; N],
    /// The floats of all.
    pub floats: usize,
}

impl<const N: usize> PreparedAt<N> {
    /// Values of so many floats.
    pub const fn new(lens: [usize; N]) -> Self {
        let (mut at, mut floats, mut i) = ([0; N], 0, 0);
        while i < N {
            at[i] = floats;
            floats += padded(lens[i]);
            i += 1;
        }
        Self { at, lens, floats }
    }

    /// One of them.
    #[inline(always)]
    pub fn part(&self, prepared: Buf, value: usize) -> Buf {
        prepared.part(self.at[value], self.lens[value])
    }
}

/// What a workspace is for: [`Training`] or [`Inference`].
pub trait Purpose: sealed::Sealed {
    /// Whether it has the memory of gradients.
    const TRAINS: bool;
}

/// Training and inference.
#[derive(Clone, Copy, Debug)]
pub struct Training;

/// Inference alone, in less memory.
#[derive(Clone, Copy, Debug)]
pub struct Inference;

impl Purpose for Training {
    const TRAINS: bool = true;
}

impl Purpose for Inference {
    const TRAINS: bool = false;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Training {}
    impl Sealed for super::Inference {}
}

/// A model as workspaces see it. Implemented by `model!` and `#[derive(Module)]`.
pub trait Program: Module {
    /// The type that owns the parameters, whose gradients these are.
    type Owner;

    /// The names of the run-time sizes.
    const SIZES: &'static [&'static str];

    /// The memory of the functions, in a workspace that stores values so.
    #[doc(hidden)]
    fn plan(n: Sizes, target: Target) -> Vec<FunctionPlan>;

    /// The floats of what inference prepares.
    #[doc(hidden)]
    const PREPARED: PerSide<usize>;

    /// What profiles call the run that prepares them.
    #[doc(hidden)]
    const PREPARE: &'static str;

    /// Prepares inference for the present parameters and state.
    #[doc(hidden)]
    fn prepare<K: Kernels>(k: &mut K, owned: [Buf; 2], prepared: Buf);
}
