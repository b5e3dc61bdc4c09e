//! Scaled dot-product attention (A. Vaswani et al., "Attention Is All You Need", 2017;
//! `torch.nn.functional.scaled_dot_product_attention`), for each sample and head:
//!
//! `s = q kᵀ · scale + mask`,  `p = softmax(s)` along the keys,  `y = p v`.
//!
//! The scores are never stored: a block of queries meets one block of keys after another, with the
//! maximum and the sum of its rows carried along (T. Dao et al., "FlashAttention", 2022). What the
//! backward pass needs of them is `lse = log Σ exp(s)`, a number for each query:
//!
//! `p = exp(s − lse)`,  `d_v = pᵀ d_y`,  `d_p = d_y vᵀ`,
//! `d_s = p · (d_p − Σ d_y · y)`,  `d_q = scale · d_s k`,  `d_k = scale · d_sᵀ q`,
//! `d_mask = d_s`, summed over what shares an element of the mask.
//!
//! A query that sees no key gives zeros. A key is not seen where the mask is `−∞`, or behind the
//! diagonal: nothing that it or its value holds reaches the query or its gradients, also when it is
//! not finite, and nothing of the query reaches the key's (`careful`).

mod block;
mod careful;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod few;
mod grad;
mod mask_grad;
pub mod reference;
mod views;

use crate::device::Buf;
use crate::ops::kernels;

/// The sizes of an attention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionSpec {
    /// The number of samples.
    pub batch: usize,
    /// The heads of the queries.
    pub heads: usize,
    /// The heads of the keys and values, each for `heads / kv_heads` neighbouring heads.
    pub kv_heads: usize,
    /// The number of queries.
    pub queries: usize,
    /// The number of keys.
    pub keys: usize,
    /// The floats of a query, a key and a value.
    pub dim: usize,
    /// What products are multiplied with, usually `1 / √dim`.
    pub scale: f32,
    /// Where set, query `i` sees the keys up to `i + causal`.
    pub causal: Option<usize>,
}

/// Where the rows of an operand lie in its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strides {
    /// The first float of the first row.
    pub start: usize,
    /// From a sample to the next.
    pub batch: usize,
    /// From a head to the next.
    pub head: usize,
    /// From a query, a key or a value to the next.
    pub row: usize,
}

impl Strides {
    /// Of `[batch, rows, heads, dim]`, as products with weights give it.
    pub const fn by_row(rows: usize, heads: usize, dim: usize) -> Self {
        Self { start: 0, batch: rows * heads * dim, head: dim, row: heads * dim }
    }

    /// Of `[batch, heads, rows, dim]`.
    pub const fn by_head(rows: usize, heads: usize, dim: usize) -> Self {
        Self { start: 0, batch: heads * rows * dim, head: rows * dim, row: dim }
    }

    /// How many samples, heads and rows of these lie in different places.
    pub(crate) fn distinct(&self, [batch, heads, rows]: [usize; 3]) -> [usize; 3] {
        let count = |stride, count| if stride == 0 { 1 } else { count };
        [count(self.batch, batch), count(self.head, heads), count(self.row, rows)]
    }

    /// The first float of a row.
    pub const fn at(&self, batch: usize, head: usize, row: usize) -> usize {
        self.start + batch * self.batch + head * self.head + row * self.row
    }
}

/// An operand, or a part of one: queries, keys and values may lie side by side in one range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The whole range.
    pub buf: Buf,
    /// The rows in it.
    pub strides: Strides,
}

/// What is given: queries `[batch, heads, queries, dim]`, keys and values
/// `[batch, kv_heads, keys, dim]`, and what is added to the scores `[batch, heads, queries, keys]`
/// (strides of 0 repeat it).
#[derive(Clone, Copy, Debug)]
pub struct Inputs {
    /// The queries.
    pub q: View,
    /// The keys.
    pub k: View,
    /// The values.
    pub v: View,
    /// The additive mask, `−∞` where a query does not see a key.
    pub mask: Option<View>,
}

kernels! {
    /// The kernels of this room.
    pub trait Attention {
        /// `y [batch, heads, queries, dim]` and `lse [batch, heads, queries]`, which may be empty.
        fn attention(&mut self, y: View, lse: Buf, inputs: Inputs, spec: AttentionSpec);
        /// Adds keys and values behind the first `past` rows of `to`; `spec` is that of the rows
        /// added.
        fn append(&mut self, to: [View; 2], from: [View; 2], past: usize, spec: AttentionSpec);
        /// The gradients of queries, keys and values from `d_y`, `y` and `lse`. They may lie side by
        /// side in one range.
        fn attention_grad(
            &mut self,
            d_qkv: [View; 3],
            d_y_and_y: [View; 2],
            lse: Buf,
            inputs: Inputs,
            spec: AttentionSpec,
        );
        /// The gradient of the mask, which has the strides of the mask that is given: a sum over the
        /// samples, heads and queries for which these are 0.
        fn attention_mask_grad(
            &mut self,
            d_mask: Buf,
            d_y_and_y: [View; 2],
            lse: Buf,
            inputs: Inputs,
            spec: AttentionSpec,
        );
    }
}
