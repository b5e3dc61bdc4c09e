//! Rotations in small passes: the kernels for all sizes.

use super::{Rotary, RotarySpec};
use crate::device::{Buf, TinyKernels};
use crate::math::Vector;

impl<V: Vector> Rotary for TinyKernels<'_, V> {
    #[inline(always)]
    fn rotary(&mut self, y: Buf, x: Buf, spec: RotarySpec) {
        self.whole().rotary(y, x, spec);
    }

    #[inline(always)]
    fn sinusoidal(&mut self, y: Buf, len: usize, dim: usize, base: f32) {
        self.whole().sinusoidal(y, len, dim, base);
    }
}
