//! Layer normalisation of rows (J. Ba, J. Kiros, G. Hinton, "Layer Normalization", 2016;
//! `torch.nn.LayerNorm`), and without centring, root-mean-square normalisation (B. Zhang,
//! R. Sennrich, 2019; `torch.nn.RMSNorm`):
//!
//! `y = x̂ · w + b`,  `x̂ = (x − μ) / √(σ² + ε)` for the mean `μ` and the variance `σ²` of a row,
//! `x̂ = x / √(mean(x²) + ε)` without centring.
//!
//! With `g = d_y · w` and means over the row:
//! `d_x = (g − mean(g) − x̂ · mean(g · x̂)) / √(σ² + ε)`, where `mean(g)` is left out without
//! centring; `d_w = Σ d_y · x̂` and `d_b = Σ d_y` over the rows.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod reference;

use crate::device::Buf;
use crate::ops::{kernels, product};

/// The sizes of a normalisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerNormSpec {
    /// The number of rows.
    pub rows: usize,
    /// The elements of a row.
    pub dim: usize,
    /// What is added to the variance.
    pub eps: f32,
    /// Whether the mean is taken away.
    pub centred: bool,
}

/// The statistics of a row: its mean is the sum of the first two, so that nothing cancels however
/// far it is from zero, and the third is `1 / √(σ² + ε)`.
pub const STATS: usize = 3;

/// Groups of rows whose sums are taken apart, where their rows are no fewer and no more than these:
/// the sums of a group are in `f32`, those of all groups in `f64`.
const GROUPS: usize = 32;
const ROWS: [usize; 2] = [8, 64];

impl LayerNormSpec {
    /// The rows of a group.
    const fn group(&self) -> usize {
        let each = self.rows.div_ceil(GROUPS);
        match each {
            _ if each < ROWS[0] => ROWS[0],
            _ if each > ROWS[1] => ROWS[1],
            _ => each,
        }
    }

    /// The floats of scratch of the gradient, for so many rows and for fewer: the sums of each
    /// group. Up to [`GROUPS`] groups there are more with more rows; then groups grow to their
    /// largest size, and then there are more again.
    pub const fn grad_scratch(&self) -> usize {
        let [few, many] = [self.rows.div_ceil(ROWS[0]), self.rows.div_ceil(ROWS[1])];
        let groups = if few < GROUPS { few } else { GROUPS };
        product([2, self.dim, if many > groups { many } else { groups }])
    }
}

/// Weight and bias, each empty where there is none; in gradients, those of both.
#[derive(Clone, Copy, Debug)]
pub struct Affine {
    /// `w [dim]`
    pub weight: Buf,
    /// `b [dim]`
    pub bias: Buf,
}

kernels! {
    /// The kernels of this room.
    pub trait LayerNorm {
        /// `y [rows, dim]`, and `stats [rows, STATS]`: `μ` (0 without centring) in two parts and
        /// `1 / √(σ² + ε)`, which may be empty.
        fn layer_norm(&mut self, y: Buf, stats: Buf, x: Buf, affine: Affine, spec: LayerNormSpec);
        /// The gradients of `x`, `w` and `b`.
        #[allow(clippy::too_many_arguments)]
        fn layer_norm_grad(
            &mut self,
            d_x: Buf,
            d_affine: Affine,
            d_y: Buf,
            x: Buf,
            weight: Buf,
            stats: Buf,
            spec: LayerNormSpec,
            scratch: Buf,
        );
    }
}
