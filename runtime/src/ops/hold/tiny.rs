//! Selection in small passes: the kernel for all sizes.

use super::Hold;
use crate::device::{Buf, Indices, TinyStep};
use crate::math::Vector;

impl<V: Vector> Hold for TinyStep<'_, V> {
    #[inline(always)]
    fn hold(&mut self, y: Buf, new: Buf, old: Buf, length: Indices, t: usize) {
        self.whole().hold(y, new, old, length, t);
    }
}
