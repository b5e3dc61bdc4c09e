//! Parts of a tensor by index: the rows and columns that a smaller tensor has in a larger one.

use std::ops::{Deref, DerefMut, Range};

use super::selected::Tensor;

/// A part of a tensor: a range of each axis.
#[derive(Clone, Debug)]
pub struct Part<F> {
    floats: F,
    name: String,
    /// The sizes of the whole.
    shape: Vec<usize>,
    ranges: Vec<Range<usize>>,
}

impl<F: Deref<Target = [f32]>> Tensor<'_, F> {
    /// A part of it: a range of each axis, the first ones of a `[128, 8]` by `[0..128, 0..6]`.
    ///
    /// # Errors
    /// When there are more or fewer ranges than axes, or one leaves its axis.
    pub fn part<const N: usize>(
        &self,
        ranges: [Range<usize>; N],
    ) -> Result<Part<&[f32]>, PartError> {
        Part::new(&self.floats, &self.spec.name, &self.spec.shape, ranges.to_vec())
    }
}

impl<F: DerefMut<Target = [f32]>> Tensor<'_, F> {
    /// A part of it, to change.
    ///
    /// ```
    /// use gradiron::prelude::*;
    ///
    /// model! {
    ///     struct Sensors<const N: usize> {
    ///         fc1: Linear(N -> 16),
    ///         fc2: Linear(16 -> 1),
    ///     }
    ///
    ///     fn forward(&self, x: [batch, N]) -> [batch, 1] {
    ///         self.fc2(self.fc1(x).relu())
    ///     }
    /// }
    ///
    /// /// A network that has learnt from six sensors goes on with eight: the new ones count for
    /// /// nothing at first.
    /// fn two_more(six: &Sensors<6>) -> Result<Sensors<8>, Box<dyn std::error::Error>> {
    ///     let mut eight = Sensors::<8>::init(Seed(0));
    ///     eight.select_mut(except("fc1.weight"))?.copy_from(&six.select(except("fc1.weight"))?)?;
    ///     let mut weights = eight.select_mut("fc1.weight")?;
    ///     weights.fill(0.0);
    ///     let old = six.select("fc1.weight")?;
    ///     let old = old.get("fc1.weight")?;
    ///     let mut new = weights.get_mut("fc1.weight")?;
    ///     new.part_mut([0..16, 0..6])?.copy_from(&old.part([0..16, 0..6])?)?;
    ///     Ok(eight)
    /// }
    /// # let six = Sensors::<6>::init(Seed(3));
    /// # let eight = two_more(&six).unwrap();
    /// # assert_eq!(eight.fc1().weight()[7][..6], six.fc1().weight()[7][..]);
    /// # assert_eq!(eight.fc1().weight()[7][6..], [0.0; 2]);
    /// ```
    ///
    /// # Errors
    /// As [`part`](Self::part).
    pub fn part_mut<const N: usize>(
        &mut self,
        ranges: [Range<usize>; N],
    ) -> Result<Part<&mut [f32]>, PartError> {
        Part::new(&mut self.floats, &self.spec.name, &self.spec.shape, ranges.to_vec())
    }
}

impl<F: Deref<Target = [f32]>> Part<F> {
    fn new(
        floats: F,
        name: &str,
        shape: &[usize],
        ranges: Vec<Range<usize>>,
    ) -> Result<Self, PartError> {
        let fits =
            |range: &Range<usize>, size: &usize| range.start <= range.end && range.end <= *size;
        let is_inside = ranges.iter().zip(shape).all(|(range, size)| fits(range, size));
        if ranges.len() != shape.len() || !is_inside {
            let (tensor, shape) = (name.to_owned(), shape.to_vec());
            return Err(PartError::Outside { tensor, shape, found: ranges });
        }
        Ok(Self { floats, name: name.to_owned(), shape: shape.to_vec(), ranges })
    }

    /// The sizes of the part.
    pub fn shape(&self) -> Vec<usize> {
        self.ranges.iter().map(ExactSizeIterator::len).collect()
    }

    /// The floats, the last axis densely.
    pub fn to_vec(&self) -> Vec<f32> {
        self.rows().flat_map(|row| &self.floats[row]).copied().collect()
    }

    /// The places of the rows along the last axis, one behind the other.
    fn rows(&self) -> impl Iterator<Item = Range<usize>> + use<F> {
        // A number has one row of one float.
        let last = self.ranges.last().cloned().unwrap_or(0..1);
        let outer: Vec<_> = self.ranges.iter().rev().skip(1).rev().cloned().collect();
        let shape = self.shape.clone();
        let count: usize = outer.iter().map(ExactSizeIterator::len).product();
        (0..count).map(move |mut row| {
            let (mut at, mut stride) = (last.start, shape.last().copied().unwrap_or(1));
            for (range, size) in outer.iter().zip(&shape).rev() {
                at += (range.start + row % range.len()) * stride;
                (row, stride) = (row / range.len(), stride * size);
            }
            at..at + last.len()
        })
    }
}

impl<F: DerefMut<Target = [f32]>> Part<F> {
    /// Makes all of it `value`.
    pub fn fill(&mut self, value: f32) {
        self.rows().for_each(|row| self.floats[row].fill(value));
    }

    /// Copies a part of the same sizes, wherever that lies in its tensor.
    ///
    /// # Errors
    /// When the sizes differ: nothing is copied then.
    pub fn copy_from<G: Deref<Target = [f32]>>(&mut self, from: &Part<G>) -> Result<(), PartError> {
        let (expected, found) = (self.shape(), from.shape());
        if expected != found {
            let (tensor, from) = (self.name.clone(), from.name.clone());
            return Err(PartError::Shape { tensor, expected, from, found });
        }
        for (to, row) in self.rows().zip(from.rows()) {
            self.floats[to].copy_from_slice(&from.floats[row]);
        }
        Ok(())
    }
}

/// A part that a tensor does not have, or that does not fit another.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PartError {
    /// The ranges are not those of the tensor.
    #[error(
        "`{tensor}` has shape {shape:?}: expected a range within each of its axes, found {found:?}"
    )]
    Outside {
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
        /// The ranges that were given.
        found: Vec<Range<usize>>,
    },
    /// Two parts have different sizes.
    #[error(
        "a part {expected:?} of `{tensor}` takes one of the same sizes, found {found:?} of `{from}`"
    )]
    Shape {
        /// The tensor to copy to.
        tensor: String,
        /// The sizes of its part.
        expected: Vec<usize>,
        /// The tensor to copy from.
        from: String,
        /// The sizes of its part.
        found: Vec<usize>,
    },
}
