//! In small passes: the kernels for all sizes.

use super::{Cumsum, CumsumSpec};
use crate::device::{Buf, TinyKernels};
use crate::math::Vector;

impl<V: Vector> Cumsum for TinyKernels<'_, V> {
    #[inline(always)]
    fn cumsum(&mut self, y: Buf, x: Buf, spec: CumsumSpec) {
        self.whole().cumsum(y, x, spec);
    }
}
