//! Short copies and constants.

use super::Fill;
use crate::device::{Buf, TinyStep};
use crate::math::{LANES, Lanes};

impl<V: Lanes> Fill for TinyStep<'_, V> {
    #[inline(always)]
    fn copy(&mut self, y: Buf, x: Buf) {
        let (len, y, x) = (y.len, self.to(y, y.len), self.from(x, y.len));
        let full = len - len % LANES;
        // SAFETY: the sizes were checked.
        unsafe {
            for at in (0..full).step_by(LANES) {
                V::load(x.add(at)).store(y.add(at));
            }
            V::load_some(x.add(full), len - full).store_some(y.add(full), len - full);
        }
    }

    #[inline(always)]
    fn fill(&mut self, y: Buf, value: f32) {
        let (len, y) = (y.len, self.to(y, y.len));
        let full = len - len % LANES;
        // SAFETY: the sizes were checked.
        unsafe {
            let value = V::splat(value);
            for at in (0..full).step_by(LANES) {
                value.store(y.add(at));
            }
            value.store_some(y.add(full), len - full);
        }
    }
}
