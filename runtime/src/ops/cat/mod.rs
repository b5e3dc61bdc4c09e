//! Concatenation (`torch.cat`), one operand at a time. Axes before the one along which values are
//! joined count as one, and so do this axis and those behind it: `y [outer, total]` has an operand
//! `x [outer, len]` from column `start` on. The gradient of the operand is this part of `d_y`.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod reference;

use crate::device::Buf;
use crate::ops::kernels;

/// The place of one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatSpec {
    /// The product of the axes before.
    pub outer: usize,
    /// The first column of the operand.
    pub start: usize,
    /// The columns of the operand.
    pub len: usize,
    /// The columns of all operands.
    pub total: usize,
}

kernels! {
    /// The kernels of this room.
    pub trait Cat {
        /// Writes the part of `y` that is `x`; the rest stays.
        fn cat(&mut self, y: Buf, x: Buf, spec: CatSpec);
        /// The gradient of the operand.
        fn cat_grad(&mut self, d_x: Buf, d_y: Buf, spec: CatSpec);
    }
}
