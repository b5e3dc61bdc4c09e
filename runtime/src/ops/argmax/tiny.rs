//! In small passes: the kernels for all sizes.

use super::Argmax;
use crate::device::{Buf, TinyStep};
use crate::math::Vector;
use crate::ops::softmax::SoftmaxSpec;

impl<V: Vector> Argmax for TinyStep<'_, V> {
    #[inline(always)]
    fn argmax(&mut self, y: Buf, x: Buf, spec: SoftmaxSpec) {
        self.whole().argmax(y, x, spec);
    }
}
