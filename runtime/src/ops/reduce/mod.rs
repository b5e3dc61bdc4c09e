//! Sums, means, maxima and minima over some axes (`torch.sum`, `mean`, `amax`, `amin`):
//! `y[kept] = scale · Σ_reduced x`. The gradient of a sum is `scale · d_y`, broadcast; that of a
//! maximum or minimum is shared evenly among the equals (`torch.amax`).
//!
//! Sums are accurate: few numbers are added one after another in `f32`, and their sums are carried
//! in `f64`, on a GPU with what each addition lost, so that the error of a sum is at most
//! `160 · ε · Σ|x|` for any number of terms, in place of `n · ε · Σ|x|`. The order depends on the
//! sizes alone. NaN in a maximum or minimum gives NaN. The sum of nothing is 0, its maximum -∞, its
//! minimum ∞.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod fold;
pub mod reference;
mod tiny;

pub(crate) use fold::{COLUMNS, ColumnSums, Fold, Max, Sum, fold_row};

use crate::device::Buf;
use crate::ops::{self, kernels};

/// What becomes of the elements behind a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReduceKind {
    /// Their sum; a mean by way of `scale`.
    Sum,
    /// Their maximum.
    Max,
    /// Their minimum.
    Min,
}

/// A reduction of `x [dims]` to the kept axes, in order; the result is multiplied by `scale`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReduceSpec<const R: usize> {
    /// The sizes of `x`.
    pub dims: [usize; R],
    /// The axes that stay.
    pub kept: [bool; R],
    /// What is computed.
    pub kind: ReduceKind,
    /// The factor of the result.
    pub scale: f32,
}

/// `Σ x`
pub const fn sum<const R: usize>(dims: [usize; R], kept: [bool; R]) -> ReduceSpec<R> {
    ReduceSpec { dims, kept, kind: ReduceKind::Sum, scale: 1.0 }
}

/// `Σ x / count`
pub fn mean<const R: usize>(dims: [usize; R], kept: [bool; R], count: usize) -> ReduceSpec<R> {
    ReduceSpec { dims, kept, kind: ReduceKind::Sum, scale: 1.0 / count as f32 }
}

/// The largest `x`.
pub const fn max<const R: usize>(dims: [usize; R], kept: [bool; R]) -> ReduceSpec<R> {
    ReduceSpec { dims, kept, kind: ReduceKind::Max, scale: 1.0 }
}

/// The smallest `x`.
pub const fn min<const R: usize>(dims: [usize; R], kept: [bool; R]) -> ReduceSpec<R> {
    ReduceSpec { dims, kept, kind: ReduceKind::Min, scale: 1.0 }
}

impl<const R: usize> ReduceSpec<R> {
    const fn product(&self, kept: bool) -> usize {
        let (mut product, mut i) = (1, 0);
        while i < R {
            if self.kept[i] == kept {
                product = ops::product([product, self.dims[i]]);
            }
            i += 1;
        }
        product
    }

    /// The number of results.
    pub const fn output_len(&self) -> usize {
        self.product(true)
    }

    /// The number of elements behind each result.
    pub const fn reduced_len(&self) -> usize {
        self.product(false)
    }
}

kernels! {
    #[tiny]
    /// The kernel of this room.
    pub trait Reduce {
        /// `y` from `x`.
        fn reduce<const R: usize>(&mut self, y: Buf, x: Buf, spec: ReduceSpec<R>);
    }
}
