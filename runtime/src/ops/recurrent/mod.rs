//! Recurrent cells over the steps of sequences (`torch.nn.RNN`, `LSTM` and `GRU`), one layer in one
//! direction. `x [batch, steps, gates · hidden]` are the products of the inputs with their weights,
//! which are made for all steps at once; `p = h · wᵀ (+ b)` is the part that depends on the state
//! before.
//!
//! | cell | gates | new state |
//! |---|---|---|
//! | tanh, ReLU | | `h = act(x + p)` |
//! | LSTM | `i, f, o = σ(x + p)`, `g = tanh(x + p)`, in the order `i, f, g, o` | `c = f c + i g`, `h = o tanh c` |
//! | GRU | `r, z = σ(x + p)`, `n = tanh(xₙ + r pₙ)` | `h = (1 − z) n + z h` |
//!
//! (S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory", 1997; K. Cho et al., "Learning Phrase
//! Representations using RNN Encoder–Decoder", 2014; formulas as PyTorch documents them.)
//!
//! The backward pass goes from the last step to the first, with the gradient of the state carried
//! along. It makes the gradients of `x` and of `p` for all steps; those of the weights are products
//! of these with the states before each step, over all steps at once.
//!
//! A sample with a length ends there: its state is held, its results are zeros, and what is behind
//! has no gradient. In reverse it starts at its last element. That is what PyTorch's packed
//! sequences mean.

mod block;
mod cells;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod reference;

use crate::device::{Buf, Indices};
use crate::ops::{kernels, product, sum};

/// What computes the next state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// `RNN`
    Tanh,
    /// `RNN`, `nonlinearity = relu`
    Relu,
    /// `LSTM`
    Lstm,
    /// `GRU`
    Gru,
}

impl Cell {
    /// Rows of the weights for each float of the state.
    pub const fn gates(self) -> usize {
        match self {
            Self::Tanh | Self::Relu => 1,
            Self::Lstm => 4,
            Self::Gru => 3,
        }
    }
}

/// Samples of a block, which one thread takes through all steps.
const BLOCK: usize = 8;

/// The sizes of a layer in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecurrentSpec {
    /// The cell.
    pub cell: Cell,
    /// The number of samples.
    pub batch: usize,
    /// The steps of the longest sequence.
    pub steps: usize,
    /// Floats of a state.
    pub hidden: usize,
    /// Whether the last element comes first.
    pub reverse: bool,
}

impl RecurrentSpec {
    /// Floats of `x` for a sample and a step.
    pub const fn width(&self) -> usize {
        product([self.cell.gates(), self.hidden])
    }

    /// Floats of scratch memory: the packed weights, and for each block its gates and states.
    pub const fn scratch(&self) -> usize {
        sum([self.packed(), product([self.blocks(), self.block_floats()])])
    }

    /// The weights in panels of columns, as wide as any instruction set has them.
    const fn packed(&self) -> usize {
        let (forward, backward) = (
            product([self.hidden, self.width().div_ceil(32), 32]),
            product([self.width(), self.hidden.div_ceil(32), 32]),
        );
        if forward > backward { forward } else { backward }
    }

    /// Samples of each block: few samples are shared by two threads.
    const fn block_rows(&self) -> usize {
        let half = self.batch.div_ceil(2);
        if half < BLOCK { half } else { BLOCK }
    }

    const fn blocks(&self) -> usize {
        if self.batch == 0 { 0 } else { self.batch.div_ceil(self.block_rows()) }
    }

    const fn block_floats(&self) -> usize {
        let states = product([2, self.hidden]);
        sum([product([self.block_rows(), sum([self.width(), states])]), states])
    }
}

/// What a layer is given.
#[derive(Clone, Copy, Debug)]
pub struct Inputs {
    /// `[batch, steps, gates · hidden]`
    pub x: Buf,
    /// `[gates · hidden, hidden]`
    pub w: Buf,
    /// `[gates · hidden]`, added to the products with `w`.
    pub b: Option<Buf>,
    /// The first states `[batch, hidden]`; zeros where there are none.
    pub h: Option<Buf>,
    /// The same of an LSTM's cells.
    pub c: Option<Buf>,
    /// The elements of each sample `[batch]`, at most `steps`; all where there are none.
    pub lengths: Option<Indices>,
}

/// What a layer makes.
#[derive(Clone, Copy, Debug)]
pub struct Outputs {
    /// The state behind each step `[batch, steps, hidden]`.
    pub y: Buf,
    /// The last states `[batch, hidden]`.
    pub h: Buf,
    /// The last cells of an LSTM.
    pub c: Option<Buf>,
}

/// What the backward pass needs of the forward pass.
#[derive(Clone, Copy, Debug)]
pub struct Saved {
    /// The gates, `[batch, steps, gates · hidden]`; may be the memory of `x`.
    pub gates: Buf,
    /// The state before each step, `[batch, steps, hidden]`.
    pub before: Buf,
    /// `[batch, steps, hidden]`: an LSTM's cells, a GRU's `pₙ`.
    pub inner: Option<Buf>,
}

/// The gradients of what was made, zeros where there are none.
#[derive(Clone, Copy, Debug)]
pub struct OutputGrads {
    /// `[batch, steps, hidden]`
    pub y: Option<Buf>,
    /// `[batch, hidden]`
    pub h: Option<Buf>,
    /// `[batch, hidden]`
    pub c: Option<Buf>,
}

/// The gradients of what was given.
#[derive(Clone, Copy, Debug)]
pub struct InputGrads {
    /// Of `x`, and where they are the same, of the products with `w`; may be the memory of the
    /// gates.
    pub x: Buf,
    /// Of the products with `w`, in a GRU.
    pub products: Option<Buf>,
    /// Of the first states.
    pub h: Option<Buf>,
    /// Of the first cells.
    pub c: Option<Buf>,
}

kernels! {
    /// The kernels of this room.
    pub trait Recurrent {
        /// All steps.
        fn recurrent(
            &mut self,
            outputs: Outputs,
            saved: Option<Saved>,
            inputs: Inputs,
            scratch: Buf,
            spec: RecurrentSpec,
        );

        /// All steps backward; `given.x` is not read.
        fn recurrent_grad(
            &mut self,
            d_inputs: InputGrads,
            d_outputs: OutputGrads,
            saved: Saved,
            inputs: Inputs,
            scratch: Buf,
            spec: RecurrentSpec,
        );
    }
}
