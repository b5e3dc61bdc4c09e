//! Dropout in small passes: the kernels for all sizes.

use super::{Dropout, DropoutSpec};
use crate::device::{Buf, TinyKernels};
use crate::math::Vector;

impl<V: Vector> Dropout for TinyKernels<'_, V> {
    #[inline(always)]
    fn dropout(&mut self, y: Buf, call: Buf, x: Buf, spec: DropoutSpec) {
        self.whole().dropout(y, call, x, spec);
    }

    #[inline(always)]
    fn dropout_grad(&mut self, d_x: Buf, d_y: Buf, call: Buf, spec: DropoutSpec) {
        self.whole().dropout_grad(d_x, d_y, call, spec);
    }
}
