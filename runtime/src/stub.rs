//! What models around a function ask of it where it has nothing to say: its model has mistakes,
//! which are all that is to be reported; it has no step, which is reported by
//! [`check::steps`](crate::check::steps) alone; or there is no such function, or no such model,
//! which [`check::has`](crate::check::has) and [`Module`](crate::Module) say.
//!
//! The methods are called as those of functions that have something to say.
#![allow(missing_docs)]

use std::fmt;
use std::ops::Deref;

use crate::arena::Sizes;
use crate::buf::Buf;
use crate::check::{Flows, Signature, Unmet};
use crate::device::{PerSide, Target};
use crate::function::{Backward, Forward, Infer};
use crate::program::PreparedAt;
use crate::step::Held;
use crate::summary::Outline;
use crate::want::Want;

/// A function of a model with mistakes.
#[derive(Clone, Copy, Debug)]
pub struct Broken<const ARGS: usize>(pub Signature);

impl Broken<0> {
    /// Of a model that has no function of the name.
    pub const ABSENT: Self = Self(Signature { args: &[], results: &[] });
}

impl<const ARGS: usize> Broken<ARGS> {
    pub const fn signature(self) -> Signature {
        self.0
    }

    pub const fn flows(self) -> Flows<ARGS> {
        Flows { dead: None, args: [true; ARGS] }
    }

    pub const fn bind(self, _: &[&[usize]]) -> Sizes {
        [1; 4]
    }

    pub const fn unmet(self, _: Sizes) -> Option<Unmet> {
        None
    }

    pub const fn flops(self, _: Sizes) -> usize {
        0
    }

    pub const fn code_size(self) -> [usize; 2] {
        [0; 2]
    }

    pub fn outline(self, _: Sizes, _: &mut Outline) {}

    pub const fn blocks(self, _: Sizes, _: Want, _: Target) -> [usize; 2] {
        [0; 2]
    }

    pub const fn infer_scratch(self, _: Sizes, _: Target) -> usize {
        0
    }

    pub const fn table(self) -> usize {
        0
    }

    pub const fn infer_table(self) -> usize {
        0
    }

    pub const fn bounds(self, _: Sizes) -> [usize; 16] {
        [0; 16]
    }

    pub const fn lengths(self) -> [bool; 16] {
        [false; 16]
    }

    pub fn offsets(self, _: Sizes, _: Want, _: bool, _: Target, _: &mut Vec<usize>) {}

    pub fn infer_offsets(self, _: Sizes, _: Target, _: &mut Vec<usize>) {}

    pub fn infer<K, const F: usize, const C: usize, const R: usize>(
        self,
        _: &mut K,
        _: Infer<F, C, R>,
    ) {
    }

    pub fn train<K, const F: usize, const C: usize, const R: usize>(
        self,
        _: &mut K,
        _: Forward<F, C, R>,
    ) {
    }

    pub fn back<K, const F: usize, const C: usize, const R: usize>(
        self,
        _: &mut K,
        _: Backward<F, C, R>,
    ) {
    }
}

/// What stands behind what each model has, for types that are no models.
pub trait NoModel {
    const __PREPARED: &'static PerSide<PreparedAt<0>> =
        &PerSide { host: PreparedAt::new([]), device: PreparedAt::new([]) };

    fn __prepare<K>(_: &mut K, _: [Buf; 2], _: Buf) {}
}

impl<T: ?Sized> NoModel for T {}

/// The step of a function that has none.
#[derive(Clone, Copy, Debug)]
pub struct NoStep;

impl NoStep {
    pub const fn length(self) -> Option<usize> {
        None
    }

    pub const fn axes(self) -> &'static [usize] {
        &[]
    }

    pub const fn held(self) -> Held {
        Held { positions: false, states: false }
    }

    pub const fn bind(self, _: &[&[usize]], _: usize, _: usize) -> Sizes {
        [1; 4]
    }

    pub const fn cache(self, _: Sizes) -> usize {
        0
    }

    pub const fn infer_scratch(self, _: Sizes, _: Target) -> usize {
        0
    }

    pub const fn infer_table(self) -> usize {
        0
    }

    pub fn infer_offsets(self, _: Sizes, _: Target, _: &mut Vec<usize>) {}

    pub fn infer<K, const F: usize, const C: usize, const R: usize>(
        self,
        _: &mut K,
        _: Infer<F, C, R>,
    ) {
    }
}

/// A result whose shape is not known, since what says it has a mistake: what programs do with
/// results they can do with it, so that the mistake is all that is reported. No program that runs
/// has a value of it.
#[derive(Clone, Copy, Debug)]
pub struct Unknown(());

impl Deref for Unknown {
    type Target = [Unknown];

    fn deref(&self) -> &Self::Target {
        &[]
    }
}

impl IntoIterator for Unknown {
    type Item = Unknown;
    type IntoIter = std::iter::Empty<Unknown>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::empty()
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl PartialEq<f32> for Unknown {
    fn eq(&self, _: &f32) -> bool {
        false
    }
}

impl PartialOrd<f32> for Unknown {
    fn partial_cmp(&self, _: &f32) -> Option<std::cmp::Ordering> {
        None
    }
}

impl From<Unknown> for f32 {
    fn from(_: Unknown) -> Self {
        f32::NAN
    }
}
