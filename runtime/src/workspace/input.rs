//! Checks of what a call is given.

use super::{InputError, Program, Workspace};
use crate::arena::Sizes;
use crate::check::Unmet;
use crate::device::{Device, Indices};
use crate::tensor::ClassIndex;

/// What generated code calls.
#[doc(hidden)]
impl<M: Program, D: Device, P> Workspace<M, D, P> {
    /// The run-time size number `at`, from `len` elements of `sample` each.
    #[inline]
    pub fn size(
        &self,
        at: usize,
        input: &'static str,
        len: usize,
        sample: usize,
    ) -> Result<usize, InputError> {
        match whole(input, len, sample)? {
            0 => Err(InputError::Empty { input }),
            size => self.within(at, input, size),
        }
    }

    /// The run-time size number `at`, as one of the sizes of a tensor.
    #[inline]
    pub fn within(
        &self,
        at: usize,
        input: &'static str,
        found: usize,
    ) -> Result<usize, InputError> {
        let (size, capacity) = (M::SIZES[at], self.capacity[at]);
        match found {
            0 => Err(InputError::Zero { input, size }),
            found if found > capacity => Err(InputError::TooLarge { input, size, found, capacity }),
            found => Ok(found),
        }
    }

    /// Checks that another input has the same run-time size.
    #[inline]
    pub fn same(
        &self,
        at: usize,
        input: &'static str,
        len: usize,
        sample: usize,
        expected: usize,
    ) -> Result<(), InputError> {
        self.is_same(at, input, whole(input, len, sample)?, expected)
    }

    /// The same of one of the sizes of a tensor.
    #[inline]
    pub fn is_same(
        &self,
        at: usize,
        input: &'static str,
        found: usize,
        expected: usize,
    ) -> Result<(), InputError> {
        match found == expected {
            true => Ok(()),
            false => Err(InputError::Differs { input, size: M::SIZES[at], expected, found }),
        }
    }

    /// Checks the sizes of a tensor.
    #[inline]
    pub fn sizes<const RANK: usize>(
        &self,
        input: &'static str,
        found: [usize; RANK],
        expected: [usize; RANK],
    ) -> Result<(), InputError> {
        match found == expected {
            true => Ok(()),
            false => {
                Err(InputError::Sizes { input, expected: expected.to_vec(), found: found.to_vec() })
            }
        }
    }

    /// Checks that the sizes of a run are as the function needs them.
    #[inline]
    pub fn met(&self, n: Sizes, unmet: Option<Unmet>) -> Result<(), InputError> {
        match unmet {
            None => Ok(()),
            Some(unmet) => {
                Err(InputError::Unmet { sizes: super::named(M::SIZES, n), need: unmet.text() })
            }
        }
    }

    #[inline]
    pub fn exact(
        &self,
        input: &'static str,
        found: usize,
        expected: usize,
    ) -> Result<(), InputError> {
        if found == expected { Ok(()) } else { Err(InputError::Length { input, expected, found }) }
    }

    /// Copies class indices to where kernels read them, each below `bound.0`; with `bound.1` they
    /// are lengths of sequences. Each of the argument's rows has the shape `row`.
    #[inline]
    pub fn classes<C: ClassIndex>(
        &mut self,
        at: &mut usize,
        input: &'static str,
        indices: &[C],
        row: &[usize],
        bound: (usize, bool),
    ) -> Result<Indices, InputError> {
        let (start, (classes, lengths)) = (*at, bound);
        let slots = &mut self.indices[start..start + indices.len()];
        for (i, (slot, index)) in slots.iter_mut().zip(indices).enumerate() {
            match index.class() {
                Some(class) if class < classes => *slot = class as u32,
                _ => {
                    let (at, found) = (place(i, row), index.text());
                    return Err(match lengths {
                        false => InputError::Class { input, at, found, classes },
                        true => InputError::Steps { input, at, found, steps: classes - 1 },
                    });
                }
            }
        }
        *at += indices.len();
        Ok(Indices::new(start, indices.len()))
    }
}

#[inline]
pub(super) fn whole(input: &'static str, len: usize, sample: usize) -> Result<usize, InputError> {
    match len.checked_rem(sample) {
        Some(0) => Ok(len / sample),
        _ => Err(InputError::NotWhole { input, found: len, sample }),
    }
}

/// Where element `i` lies in an array of rows of the shape `row`.
fn place(mut i: usize, row: &[usize]) -> Vec<usize> {
    let mut at: Vec<usize> = row
        .iter()
        .rev()
        .map(|size| {
            let here = i % size;
            i /= size;
            here
        })
        .collect();
    at.push(i);
    at.reverse();
    at
}
