//! What a workspace knows of a model before it runs.

use crate::arena::{Sizes, padded};
use crate::device::{Buf, Kernels, PerSide, Target};
use crate::module::{Model, Module};

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
    /// The results as in training, without gradients.
    Training,
}

impl Pass {
    /// How many there are.
    pub(crate) const COUNT: usize = 5;
}

/// The memory of one function, as planned for a workspace's sizes.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct FunctionPlan {
    /// Floats of the arena, by pass.
    pub(crate) floats: [usize; Pass::COUNT],
    pub(crate) indices: usize,
    /// Offsets of the planned buffers, by pass.
    pub(crate) offsets: [Vec<usize>; Pass::COUNT],
}

impl FunctionPlan {
    /// The floats of the planned block of a pass, and the least that any plan takes; none where
    /// there is no such pass.
    pub(crate) fn packing(&self, pass: Pass) -> Option<[usize; 2]> {
        match *self.offsets[pass as usize].as_slice() {
            [saved, scratch, _, least, ..] => Some([crate::arena::plus(saved, scratch), least]),
            _ => None,
        }
    }

    /// Leaves out what makes gradients.
    pub(crate) fn only_infer(&mut self) {
        for pass in [Pass::Grad, Pass::GradInputs, Pass::Training] {
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

/// Any network that can be trained, for bounds of code that trains any: what `model!` declares, and
/// `Net<M>` of a `#[derive(Module)]`. Its workspaces are of the type `Workspace<N::Module>`. What a
/// call of it takes only the network knows, so a step is a closure.
///
/// ```
/// use gradiron::prelude::*;
///
/// /// Trains on all batches, `epochs` times, and gives the last mean loss.
/// fn fit<N: Network, B>(
///     net: &mut N,
///     ws: &mut Workspace<N::Module>,
///     optimizer: &mut impl Optimizer<N>,
///     batches: &[B],
///     epochs: usize,
///     mut loss_grad: impl FnMut(&N, &mut Workspace<N::Module>, &B) -> Result<f32, InputError>,
/// ) -> Result<f32, InputError> {
///     let mut mean = 0.0;
///     for _ in 0..epochs {
///         mean = 0.0;
///         for batch in batches {
///             mean += loss_grad(net, ws, batch)? / batches.len() as f32;
///             optimizer.step(net, ws.grads());
///         }
///     }
///     Ok(mean)
/// }
///
/// model! {
///     struct Line { line: Linear(1 -> 1) }
///     fn loss(&self, x: [batch, 1], y: [batch, 1]) -> [] { mse_loss(self.line(x), y) }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut net = Line::init(Seed(0));
/// let mut ws = Line::workspace(2)?;
/// let mut adam = Adam::new(&net, 0.1)?;
/// let batches = [([[0.0], [1.0]], [[1.0], [3.0]]), ([[2.0], [3.0]], [[5.0], [7.0]])];
/// let loss = fit(&mut net, &mut ws, &mut adam, &batches, 300, |net, ws, (x, y)| {
///     net.loss_grad(ws, x, y)
/// })?;
/// assert!(loss < 1e-2);
/// # Ok(())
/// # }
/// ```
///
/// What needs no workspace takes any [`Model`](crate::Model): its parameters, their names and
/// number, files.
///
/// ```
/// use gradiron::prelude::*;
///
/// fn trained_floats<M: Model>() -> usize {
///     M::param_specs().iter().filter(|spec| !spec.frozen).map(|spec| spec.len()).sum()
/// }
///
/// /// The mean of networks that were trained apart.
/// fn average<M: Model>(into: &mut M, others: &[M]) {
///     for (i, p) in into.params_mut().iter_mut().enumerate() {
///         *p = others.iter().map(|net| net.params()[i]).sum::<f32>() / others.len() as f32;
///     }
/// }
/// ```
pub trait Network: Model<Module: Program<Owner = Self>> {}

impl<N: Model<Module: Program<Owner = N>>> Network for N {}
