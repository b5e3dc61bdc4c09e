//! Negative log likelihood, mean (`torch.nn.NLLLoss`): `loss = −1/N · Σ_i log_probs[i, label_i]`
//! over the `N = outer · inner` positions of `log_probs [outer, classes, inner]`. Its gradient is
//! `−d_loss / N` at the labels and 0 elsewhere.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod reference;

pub(crate) use cpu::check;

use crate::device::{Buf, Indices};
use crate::ops::{kernels, product};

/// The sizes of the log-probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NllLossSpec {
    /// Product of the sizes before the classes.
    pub outer: usize,
    /// The number of classes.
    pub classes: usize,
    /// Product of the sizes behind the classes.
    pub inner: usize,
}

impl NllLossSpec {
    /// The number of labels.
    pub const fn positions(&self) -> usize {
        product([self.outer, self.inner])
    }

    /// The place of class `class` at position `position`.
    pub(crate) const fn at(&self, position: usize, class: usize) -> usize {
        (position / self.inner * self.classes + class) * self.inner + position % self.inner
    }
}

kernels! {
    /// The kernels of this room.
    pub trait NllLoss {
        /// The loss, `[1]`.
        fn nll_loss(&mut self, loss: Buf, log_probs: Buf, label: Indices, spec: NllLossSpec);
        /// The gradient of the log-probabilities.
        fn nll_loss_grad(&mut self, d_log_probs: Buf, d_loss: Buf, label: Indices, spec: NllLossSpec);
    }
}
