//! Look-ups of small passes: the kernels for all sizes.

use super::{Embedding, EmbeddingSpec};
use crate::device::{Buf, Indices, TinyKernels};
use crate::math::Vector;

impl<V: Vector> Embedding for TinyKernels<'_, V> {
    #[inline(always)]
    fn embedding(&mut self, y: Buf, index: Indices, w: Buf, spec: EmbeddingSpec) {
        self.whole().embedding(y, index, w, spec);
    }

    #[inline(always)]
    fn embedding_grad(&mut self, d_w: Buf, d_y: Buf, index: Indices, spec: EmbeddingSpec) {
        self.whole().embedding_grad(d_w, d_y, index, spec);
    }
}
