//! Cross entropy of logits and labels, mean, with label smoothing `s`
//! (`torch.nn.CrossEntropyLoss`). With `C` classes, `N = outer · inner` positions of
//! `logits [outer, classes, inner]` and `lse_i = log Σ_c e^(x_ic)`,
//!
//! `loss = 1/N · Σ_i [lse_i − (1 − s) · x_(i, label_i) − s/C · Σ_c x_ic]`,
//!
//! in which the logits are those of a position less their maximum: the loss is the same, and nothing
//! cancels however far they are from zero.
//!
//! `d_x_ic = d_loss/N · [e^(x_ic − lse_i) − (1 − s) · [c = label_i] − s/C]`
//!
//! The exponentials of the loss are all that the gradient needs. So one pass computes both, the
//! gradient for a `d_loss` of 1, and may leave it in the memory of the logits.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod reference;

use crate::device::{Buf, Indices};
use crate::ops::{kernels, product};

/// The sizes of the logits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossEntropySpec {
    /// Product of the sizes before the classes.
    pub outer: usize,
    /// The number of classes.
    pub classes: usize,
    /// Product of the sizes behind the classes.
    pub inner: usize,
    /// The label smoothing `s`.
    pub smoothing: f32,
}

impl CrossEntropySpec {
    /// The number of labels.
    pub const fn positions(&self) -> usize {
        product([self.outer, self.inner])
    }
}

kernels! {
    /// The kernels of this room.
    pub trait CrossEntropy {
        /// `loss [1]`
        fn cross_entropy(&mut self, loss: Buf, logits: Buf, label: Indices, spec: CrossEntropySpec);

        /// `loss [1]` and the gradient of the logits for a `d_loss` of 1, which may take their memory.
        fn cross_entropy_with_grad(
            &mut self,
            loss: Buf,
            d_logits: Buf,
            logits: Buf,
            label: Indices,
            spec: CrossEntropySpec,
        );

        /// The gradient of the logits from that for a `d_loss` of 1, which may be the same memory:
        /// then nothing is left to do for a `d_loss` of 1.
        fn cross_entropy_grad(&mut self, d_logits: Buf, d_loss: Buf, of_one: Buf);
    }
}
