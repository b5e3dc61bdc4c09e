//! Arrays that a program has as constants, as values of models: a class token, a grid, a mask, a
//! table of indices. They are read where they are, without a copy; a device of its own has a copy,
//! made once.

use std::fmt;

use bytemuck::Pod;

use crate::tensor::{ClassIndex, Element};

/// The most axes that a value has.
const AXES: usize = 16;

/// The numbers of a constant, one behind the other.
pub struct Constant<T: 'static>(&'static [T]);

impl<T> Constant<T> {
    /// The numbers.
    #[inline]
    pub const fn numbers(&self) -> &'static [T] {
        self.0
    }

    /// What tells one from others: where it is, and how long. A constant never changes.
    #[cfg(feature = "cuda")]
    pub(crate) fn key(&self) -> (usize, usize) {
        (self.0.as_ptr().addr(), self.0.len())
    }
}

impl Constant<f32> {
    /// An array of the program.
    pub const fn of<A: Nested<Element = f32>>(array: &'static A) -> Self {
        Self(numbers(array))
    }
}

impl Constant<u32> {
    /// An array of class indices, of which generated code makes `u32`s.
    pub const fn of_indices<A: Nested<Element = u32>>(array: &'static A) -> Self {
        Self(numbers(array))
    }
}

impl<T> PartialEq for Constant<T> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl<T> Eq for Constant<T> {}

impl<T> fmt::Debug for Constant<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} numbers", self.0.len())
    }
}

/// A number, or an array of arrays of numbers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no constant that a model can have as a value",
    label = "not an array of `f32`",
    note = "a value is an array of arrays of `f32`, or as `Classes[…]` of whole numbers"
)]
pub trait Nested: Pod {
    /// What it is made of.
    type Element: Nested + Pod;
    /// The number of its axes.
    const RANK: usize;
    /// Their sizes, the first ones of these.
    const SIZES: [usize; AXES];
}

impl<T: Element> Nested for T {
    type Element = Self;
    const RANK: usize = 0;
    const SIZES: [usize; AXES] = [1; AXES];
}

impl<A: Nested, const N: usize> Nested for [A; N] {
    type Element = A::Element;
    const RANK: usize = 1 + A::RANK;
    const SIZES: [usize; AXES] = {
        let mut sizes = [N; AXES];
        let mut axis = 1;
        while axis < AXES {
            sizes[axis] = A::SIZES[axis - 1];
            axis += 1;
        }
        sizes
    };
}

/// The numbers of an array, one behind the other.
pub const fn numbers<A: Nested>(array: &A) -> &[A::Element] {
    bytemuck::must_cast_slice(std::slice::from_ref(array))
}

/// The same of an array of whole numbers.
pub const fn whole_numbers<A: Nested<Element: ClassIndex>>(array: &A) -> &[A::Element] {
    numbers(array)
}

/// The sizes of an array.
#[derive(Clone, Copy, Debug)]
pub struct Axes {
    rank: usize,
    sizes: [usize; AXES],
}

impl Axes {
    /// Those of this one.
    pub const fn of<A: Nested>(_: &A) -> Self {
        Self { rank: A::RANK, sizes: A::SIZES }
    }

    /// Axis after axis, of more than a value has the first ones.
    pub(crate) const fn axes(&self) -> &[usize] {
        self.sizes.split_at(if self.rank < AXES { self.rank } else { AXES }).0
    }

    /// Whether they are these.
    pub(crate) const fn are(&self, sizes: &[usize]) -> bool {
        let mut axis = 0;
        while axis < sizes.len() && axis < self.rank && sizes[axis] == self.sizes[axis] {
            axis += 1;
        }
        axis == sizes.len() && axis == self.rank
    }
}
