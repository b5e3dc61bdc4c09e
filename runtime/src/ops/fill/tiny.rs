//! Short copies and constants.

use super::Fill;
use crate::device::{Buf, TinyKernels};
use crate::math::Vector;

impl<V: Vector> Fill for TinyKernels<'_, V> {
    #[inline(always)]
    fn copy(&mut self, y: Buf, x: Buf) {
        let (len, y, x) = (y.len, self.to(y, y.len), self.from(x, y.len));
        let full = len - len % V::LANES;
        // SAFETY: `to` and `from` checked that `y` and `x` have `len` floats, and the step has its
        // memory to itself; what is left behind `full` is chosen by a mask. Whoever made the step
        // has the instruction set of `V`.
        unsafe {
            for at in (0..full).step_by(V::LANES) {
                V::load(x.add(at)).store(y.add(at));
            }
            V::load_part(x.add(full), V::mask(len - full))
                .store_part(y.add(full), V::mask(len - full));
        }
    }

    #[inline(always)]
    fn accumulate(&mut self, y: Buf, x: Buf) {
        let (len, y, x) = (y.len, self.to(y, y.len), self.from(x, y.len));
        let full = len - len % V::LANES;
        // SAFETY: `to` and `from` checked that `y` and `x` have `len` floats, and the step has its
        // memory to itself; the mask chooses those behind `full`. Whoever made the step has the
        // instruction set of `V`.
        unsafe {
            for at in (0..full).step_by(V::LANES) {
                V::load(y.add(at)).add(V::load(x.add(at))).store(y.add(at));
            }
            let mask = V::mask(len - full);
            let sum = V::load_part(y.add(full), mask).add(V::load_part(x.add(full), mask));
            sum.store_part(y.add(full), mask);
        }
    }

    #[inline(always)]
    fn fill(&mut self, y: Buf, value: f32) {
        let (len, y) = (y.len, self.to(y, y.len));
        let full = len - len % V::LANES;
        // SAFETY: `to` checked that `y` has `len` floats, and the step has its memory to itself;
        // the mask chooses those behind `full`. Whoever made the step has the instruction set of
        // `V`.
        unsafe {
            let value = V::splat(value);
            for at in (0..full).step_by(V::LANES) {
                value.store(y.add(at));
            }
            value.store_part(y.add(full), V::mask(len - full));
        }
    }
}
