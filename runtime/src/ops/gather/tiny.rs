//! In small passes: the kernels for all sizes.

use super::{Gather, GatherSpec};
use crate::device::{Buf, Indices, TinyKernels};
use crate::math::Vector;

impl<V: Vector> Gather for TinyKernels<'_, V> {
    #[inline(always)]
    fn gather(&mut self, y: Buf, x: Buf, index: Indices, spec: GatherSpec) {
        self.whole().gather(y, x, index, spec);
    }

    #[inline(always)]
    fn gather_grad(&mut self, d_x: Buf, d_y: Buf, index: Indices, spec: GatherSpec) {
        self.whole().gather_grad(d_x, d_y, index, spec);
    }
}
