//! In small passes: the kernels for all sizes.

use super::{Cumsum, CumsumSpec};
use crate::device::{Buf, TinyStep};
use crate::math::Vector;

impl<V: Vector> Cumsum for TinyStep<'_, V> {
    #[inline(always)]
    fn cumsum(&mut self, y: Buf, x: Buf, spec: CumsumSpec) {
        self.whole().cumsum(y, x, spec);
    }
}
