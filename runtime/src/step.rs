//! Sequences step by step: the outputs of the next positions, given what was kept of those before.
//!
//! A function of a model with `#[step(LENGTH)]` above it runs on whole sequences of `LENGTH`
//! positions, and by `…_step` on the next positions of sequences that grow in a [`Cache`]. Both
//! come from one declaration; `…_step_check` compares them ([`StepCheck`](crate::StepCheck)).

use std::fmt;
use std::marker::PhantomData;

use crate::arena::Sizes;
use crate::device::{Buf, Cpu, Device, Kernels, Region, Run, RunKey};
use crate::function::{Call, Function, Infer, owned};
use crate::module::named_tensors;
use crate::profile::Phase;
use crate::program::Program;
use crate::storage::Version;

/// What steps need of the positions before.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Values of each of them, or how many they were: of those, sequences have room for some.
    pub positions: bool,
    /// States, that of the last one alone.
    pub states: bool,
}

impl Held {
    /// What both need.
    pub const fn and(self, other: Self) -> Self {
        Self { positions: self.positions || other.positions, states: self.states || other.states }
    }
}

/// What a step of the function number `FUNCTION` of an `M` needs of the positions before: keys and
/// values of each attention, and the states of recurrent layers and `scan`. All memory is there
/// from the start; its content grows.
///
/// Made by `M::…_cache`. All sequences in it have the same length. Where it holds states alone, or
/// nothing, they go on without end.
pub struct Cache<M, const FUNCTION: usize = 0, D: Device = Cpu> {
    pub(crate) memory: D::Memory,
    pub(crate) floats: usize,
    pub(crate) sequences: usize,
    pub(crate) len: usize,
    pub(crate) length: usize,
    pub(crate) held: Held,
    /// Whether a step failed while it changed what is held.
    pub(crate) lost: bool,
    /// The parameters that the positions went through.
    pub(crate) version: Option<Version>,
    pub(crate) model: PhantomData<fn() -> M>,
}

impl<M, const FUNCTION: usize, D: Device> Cache<M, FUNCTION, D> {
    /// The number of positions of each sequence so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The most positions that sequences may have; `usize::MAX` where it holds states alone, with
    /// which they go on without end.
    pub fn capacity(&self) -> usize {
        if self.held.positions { self.length } else { usize::MAX }
    }

    /// The number of sequences.
    pub fn sequences(&self) -> usize {
        self.sequences
    }

    /// Its memory in bytes.
    pub fn bytes(&self) -> usize {
        crate::arena::bytes(&[self.floats])
    }

    /// Forgets all positions, for new sequences.
    pub fn clear(&mut self) {
        self.len = 0;
        self.lost = false;
    }

    /// Keeps the first `len` positions of each sequence; does nothing when there are fewer. With 0
    /// it is [`clear`](Self::clear).
    ///
    /// # Errors
    /// When it holds states: it has those after the last position alone, so it cannot go back to
    /// another. It stays as it was.
    pub fn truncate(&mut self, len: usize) -> Result<(), TruncateError> {
        match len {
            0 => self.clear(),
            len if len >= self.len => {}
            len if self.held.states => return Err(TruncateError { len, held: self.len }),
            len => self.len = len,
        }
        Ok(())
    }
}

/// A cache with states that was to go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the cache holds states after {held} positions, and none after {len}: those of recurrent layers and \
     `scan` do not go back; `clear` it, and give it the {len} positions again"
)]
#[non_exhaustive]
pub struct TruncateError {
    /// The positions that were to be kept.
    pub len: usize,
    /// The positions so far.
    pub held: usize,
}

impl<M, const FUNCTION: usize, D: Device> fmt::Debug for Cache<M, FUNCTION, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequences, len, length, .. } = self;
        match self.held.positions {
            true => write!(f, "Cache({sequences} sequences, {len} of {length} positions)"),
            false => write!(f, "Cache({sequences} sequences, {len} positions)"),
        }
    }
}

/// An argument or a result at some run-time sizes.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The elements of the whole.
    pub len: usize,
    /// The elements of a position, when it has a row for each.
    pub row: Option<usize>,
}

/// A function that runs step by step, the number `AT` of its model. Implemented by `model!`.
#[doc(hidden)]
pub trait Stepwise<const AT: usize, const FLOATS: usize, const CLASSES: usize, const RESULTS: usize>:
    Function<FLOATS, CLASSES, RESULTS>
{
    /// The longest sequences.
    const LENGTH: usize;
    /// What steps need of the positions before.
    const HELD: Held;
    /// What profiles call a step.
    const STEP: &'static str;
    /// The run-time size that is the number of sequences.
    const BATCH: Option<usize>;
    /// The place of the number of positions before among the run-time sizes; behind it is that of
    /// the new ones.
    const PAST: usize;
    /// What the class indices stay below.
    const BOUNDS: [usize; CLASSES];

    /// The number of positions before, as the step sees it: where none are held, all that counts is
    /// whether there are some.
    fn past(past: usize) -> usize {
        if Self::HELD.positions { past } else { past.min(1) }
    }

    /// The arguments and the results over whole sequences.
    fn parts(n: Sizes) -> ([Part; FLOATS], [Part; CLASSES], [Part; RESULTS]);

    /// The floats of a cache.
    fn cache_floats(n: Sizes) -> usize;

    /// The step.
    fn step<K: Kernels>(k: &mut K, given: Infer<FLOATS, CLASSES, RESULTS>);
}

/// A step of the function `F`.
pub(crate) struct StepRun<
    'a,
    F,
    const AT: usize,
    const FLOATS: usize,
    const CLASSES: usize,
    const RESULTS: usize,
> {
    pub offsets: &'a [usize],
    pub call: Call<FLOATS, CLASSES, RESULTS>,
    /// The floats of the cache.
    pub cache: usize,
    pub function: PhantomData<fn() -> F>,
}

impl<F, const AT: usize, const FLOATS: usize, const CLASSES: usize, const RESULTS: usize> Run
    for StepRun<'_, F, AT, FLOATS, CLASSES, RESULTS>
where
    F: Stepwise<AT, FLOATS, CLASSES, RESULTS>,
{
    const MAY_BE_TINY: bool = false;
    const NAME: &'static str = F::STEP;
    const PHASE: Phase = Phase::Forward;

    /// Each position has other calls.
    fn key(&self) -> Option<RunKey> {
        None
    }

    fn is_tiny(&self) -> bool {
        false
    }

    fn flops(&self) -> usize {
        0
    }

    fn tensors() -> Vec<(String, usize, usize)> {
        named_tensors::<F::Model>()
    }

    fn run<K: Kernels>(self, k: &mut K) {
        let [params, state] = owned::<F::Model>(Region::Params);
        let prepared = Buf::new(Region::Prepared, 0, *F::Model::PREPARED.of(K::ON_HOST));
        let cache = Buf::new(Region::Cache, 0, self.cache);
        let (offsets, Call { n, args, classes, results, block: scratch }) =
            (self.offsets, self.call);
        F::step(
            k,
            Infer { n, offsets, params, state, args, classes, results, cache, prepared, scratch },
        );
    }
}
