//! Small passes store no values in bf16; their kernels are those for all sizes.

use super::Convert;
use crate::device::{Buf, TinyKernels};
use crate::math::Vector;

impl<V: Vector> Convert for TinyKernels<'_, V> {
    #[inline(always)]
    fn narrow(&mut self, y: Buf, x: Buf) {
        self.whole().narrow(y, x);
    }

    #[inline(always)]
    fn widen(&mut self, y: Buf, x: Buf) {
        self.whole().widen(y, x);
    }
}
