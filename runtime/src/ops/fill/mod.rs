//! Copies, sums and constants: `y = x`, `y += x` and `y = value`.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod tiny;

use crate::device::Buf;
use crate::ops::kernels;

kernels! {
    #[tiny]
    /// The kernels of this room.
    pub trait Fill {
        /// `y = x`
        fn copy(&mut self, y: Buf, x: Buf);
        /// `y += x`
        fn accumulate(&mut self, y: Buf, x: Buf);
        /// `y[i] = value`
        fn fill(&mut self, y: Buf, value: f32);
    }
}
