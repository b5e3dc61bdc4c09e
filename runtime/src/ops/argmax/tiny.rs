//! In small passes: the kernels for all sizes.

use super::Argmax;
use crate::device::{Buf, TinyKernels};
use crate::math::Vector;
use crate::ops::softmax::SoftmaxSpec;

impl<V: Vector> Argmax for TinyKernels<'_, V> {
    #[inline(always)]
    fn argmax(&mut self, y: Buf, x: Buf, spec: SoftmaxSpec) {
        self.whole().argmax(y, x, spec);
    }
}
