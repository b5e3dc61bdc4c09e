//! Selection in small passes: the kernel for all sizes.

use super::{First, Hold};
use crate::device::{Buf, Indices, TinyKernels};
use crate::math::Vector;

impl<V: Vector> Hold for TinyKernels<'_, V> {
    #[inline(always)]
    fn hold(&mut self, y: Buf, new: Buf, old: Buf, length: Indices, t: usize) {
        self.whole().hold(y, new, old, length, t);
    }

    #[inline(always)]
    fn cut(&mut self, y: Buf, x: Buf, length: Indices, steps: usize) {
        self.whole().cut(y, x, length, steps);
    }

    #[inline(always)]
    fn replay(&mut self, y: Buf, now: Buf, all: Buf, length: Indices, t: usize, first: First) {
        self.whole().replay(y, now, all, length, t, first);
    }
}
