//! The ops that passes add by themselves, by what they do.

use std::rc::Rc;

use super::Op;
use super::convert::{FromBf16, ToBf16};
use super::elementwise::Elementwise;
use crate::dim::Shape;

/// The sum of two values of one shape: gradients of a value that is read twice.
pub fn sum() -> Rc<dyn Op> {
    Rc::new(Elementwise::new("add"))
}

/// A copy of a value in memory of its own.
pub fn copy() -> Rc<dyn Op> {
    Rc::new(Elementwise::copy())
}

/// A value rounded to bf16, in half of the memory.
pub fn to_bf16() -> Rc<dyn Op> {
    Rc::new(ToBf16)
}

/// The value of this shape that [`to_bf16`] rounded, back as `f32`.
pub fn from_bf16(shape: Shape) -> Rc<dyn Op> {
    Rc::new(FromBf16(shape))
}
