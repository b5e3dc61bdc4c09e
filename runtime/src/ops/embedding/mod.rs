//! Rows of a table (`torch.nn.Embedding`): `y[i, :] = w[index[i], :]` for `w [rows, dim]` and
//! `y [count, dim]`. The gradient sums what belongs to one row, `d_w[r, :] = Σ_{index[i] = r} d_y[i, :]`,
//! in the order of `i`. The row `padding` has the gradient 0.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod reference;

use crate::device::{Buf, Indices};
use crate::ops::kernels;

/// The sizes of a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbeddingSpec {
    /// The number of indices.
    pub count: usize,
    /// The rows of the table.
    pub rows: usize,
    /// The length of a row.
    pub dim: usize,
    /// The row without a gradient.
    pub padding: Option<usize>,
}

kernels! {
    /// The kernels of this room.
    pub trait Embedding {
        /// The rows `y [count, dim]` of `w [rows, dim]`.
        fn embedding(&mut self, y: Buf, index: Indices, w: Buf, spec: EmbeddingSpec);
        /// The gradient of the table, `d_w [rows, dim]`.
        fn embedding_grad(&mut self, d_w: Buf, d_y: Buf, index: Indices, spec: EmbeddingSpec);
    }
}
