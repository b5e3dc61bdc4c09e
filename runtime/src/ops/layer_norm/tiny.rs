//! Normalisation in small passes: the kernels for all sizes.

use super::{Affine, LayerNorm, LayerNormSpec};
use crate::device::{Buf, TinyKernels};
use crate::math::Vector;

impl<V: Vector> LayerNorm for TinyKernels<'_, V> {
    #[inline(always)]
    fn layer_norm(&mut self, y: Buf, stats: Buf, x: Buf, affine: Affine, spec: LayerNormSpec) {
        self.whole().layer_norm(y, stats, x, affine, spec);
    }

    #[inline(always)]
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
    ) {
        self.whole().layer_norm_grad(d_x, d_affine, d_y, x, weight, stats, spec, scratch);
    }
}
