//! Sequences step by step: the outputs of the next positions, given what was kept of those before.
//!
//! A function of a model with `#[step(LENGTH)]` above it runs on whole sequences of `LENGTH`
//! positions, and by `…_step` on the next positions of sequences that grow in a [`Cache`]. Both
//! come from one declaration; `…_step_check` compares them ([`StepCheck`]).

use std::fmt;
use std::marker::PhantomData;

use crate::arena::{Places, Sizes};
use crate::device::{Buf, Cpu, Device, DeviceError, Indices, Kernels, Region, Run, RunKey};
use crate::function::{Call, Function};
use crate::init::Seed;
use crate::profile::Phase;
use crate::rng::Rng;
use crate::storage::{Storage, Version};
use crate::workspace::{Pass, Workspace, WorkspaceError};

/// What a step of the function number `FUNCTION` of an `M` needs of the positions before: keys and
/// values of each attention. All memory is there from the start; its content grows.
///
/// Made by `M::…_cache`. All sequences in it have the same length.
pub struct Cache<M, const FUNCTION: usize = 0, D: Device = Cpu> {
    pub(crate) memory: D::Memory,
    pub(crate) floats: usize,
    pub(crate) sequences: usize,
    pub(crate) len: usize,
    pub(crate) length: usize,
    /// The parameters that the positions went through.
    pub(crate) version: Option<Version>,
    pub(crate) model: PhantomData<fn() -> M>,
}

impl<M, const FUNCTION: usize, D: Device> Cache<M, FUNCTION, D> {
    /// The number of positions that it holds of each sequence.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The most positions that it can hold.
    pub fn capacity(&self) -> usize {
        self.length
    }

    /// The number of sequences.
    pub fn sequences(&self) -> usize {
        self.sequences
    }

    /// Its memory in bytes.
    pub fn bytes(&self) -> usize {
        4 * self.floats
    }

    /// Forgets all positions, for new sequences.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Keeps the first `len` positions of each sequence; does nothing when it holds fewer.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

impl<M, const FUNCTION: usize, D: Device> fmt::Debug for Cache<M, FUNCTION, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequences, len, length, .. } = self;
        write!(f, "Cache({sequences} sequences, {len} of {length} positions)")
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

/// A function that runs step by step. Implemented by `model!`.
#[doc(hidden)]
pub trait Stepwise<const AT: usize, const FLOATS: usize, const CLASSES: usize, const RESULTS: usize>:
    Function<AT, FLOATS, CLASSES, RESULTS>
{
    /// The longest sequences.
    const LENGTH: usize;
    /// What profiles call a step.
    const STEP: &'static str;
    /// The run-time size that is the number of sequences.
    const BATCH: Option<usize>;
    /// The place of the number of positions before among the run-time sizes; behind it is that of
    /// the new ones.
    const PAST: usize;
    /// What the class indices stay below.
    const BOUNDS: [usize; CLASSES];

    /// The arguments and the results over whole sequences.
    fn parts(n: Sizes) -> ([Part; FLOATS], [Part; CLASSES], [Part; RESULTS]);

    /// The floats of a cache.
    fn cache_floats(n: Sizes) -> usize;

    /// The step, given parameters, state, what is prepared of them, and the cache.
    fn step<K: Kernels>(
        k: &mut K,
        offsets: &[usize],
        given: [Buf; 4],
        call: Call<FLOATS, CLASSES, RESULTS>,
    );
}

/// A step of the function `AT` of `M`.
pub(crate) struct StepRun<
    'a,
    M,
    const AT: usize,
    const FLOATS: usize,
    const CLASSES: usize,
    const RESULTS: usize,
> {
    pub offsets: &'a [usize],
    pub call: Call<FLOATS, CLASSES, RESULTS>,
    /// Where the prepared values start in the arena.
    pub prepared: usize,
    /// The floats of the cache.
    pub cache: usize,
    pub model: PhantomData<fn() -> M>,
}

impl<M, const AT: usize, const FLOATS: usize, const CLASSES: usize, const RESULTS: usize> Run
    for StepRun<'_, M, AT, FLOATS, CLASSES, RESULTS>
where
    M: Stepwise<AT, FLOATS, CLASSES, RESULTS>,
{
    const MAY_BE_TINY: bool = false;
    const NAME: &'static str = M::STEP;
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

    fn run<K: Kernels>(self, k: &mut K) {
        let given = [
            Buf::new(Region::Params, 0, M::PARAMS),
            Buf::new(Region::Params, M::PARAMS, M::STATE),
            Buf::new(Region::Arena, self.prepared, M::PREPARED[K::ON_GPU as usize]),
            Buf::new(Region::Cache, 0, self.cache),
        ];
        M::step(k, self.offsets, given, self.call);
    }
}

/// How far a function on whole sequences and its steps are apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepCheck {
    /// The largest difference of two results, divided by the largest magnitude among all.
    pub difference: f32,
    /// The position where it is.
    pub position: usize,
}

/// Runs the function `AT` on sequences drawn from `seed`: floats from a normal distribution, class
/// indices from all. Steps take 1, 2, 3, … positions, so that all but the first meet a cache.
#[doc(hidden)]
pub fn check_steps<M, D, const AT: usize, const F: usize, const C: usize, const R: usize>(
    ws: &mut Workspace<M, D>,
    params: &Storage,
    seed: Seed,
) -> Result<StepCheck, WorkspaceError>
where
    M: Stepwise<AT, F, C, R>,
    D: Device,
{
    let mut n = ws.capacity();
    n[M::PAST..][..2].copy_from_slice(&[0, M::LENGTH]);
    let sequences = M::BATCH.map_or(1, |at| n[at]);
    let mut cache = ws.cache::<AT, F, C, R>(sequences)?;
    let (floats, classes, results) = M::parts(n);
    let mut rng = Rng::new(seed, 0);
    let floats = floats.map(|part| Drawn::new(part, || rng.normal()));
    let mut bounds = M::BOUNDS.into_iter();
    let classes = classes.map(|part| {
        let bound = bounds.next().unwrap_or(1);
        Drawn::new(part, || rng.below(bound) as u32)
    });
    let whole =
        run::<M, D, AT, F, C, R>(ws, (&floats, &classes, &results), n, |ws, inputs, call| {
            ws.infer::<AT, F, C, R>(Some(params), inputs, call)
        })?;
    let largest = whole.iter().flatten().fold(f32::MIN_POSITIVE, |most, v| most.max(v.abs()));
    let mut worst = StepCheck { difference: 0.0, position: 0 };
    let (mut start, mut new) = (0, 1);
    while start < M::LENGTH {
        new = (new + 1).min(M::LENGTH - start).max(1);
        n[M::PAST..][..2].copy_from_slice(&[start, new]);
        let taken = (
            &floats.each_ref().map(|all| all.rows(M::LENGTH, start, new)),
            &classes.each_ref().map(|all| all.rows(M::LENGTH, start, new)),
            &results.map(|part| Part { len: part.len / M::LENGTH * new, ..part }),
        );
        let made = run::<M, D, AT, F, C, R>(ws, taken, n, |ws, inputs, call| {
            ws.step::<AT, F, C, R>(params, &mut cache, inputs, call)
        })?;
        for ((whole, made), part) in whole.iter().zip(&made).zip(&results) {
            let row = part.row.expect("a result has a row for each position").max(1);
            let sequence = M::LENGTH * row;
            for (i, value) in made.iter().enumerate() {
                let (of, within) = (i / (new * row), i % (new * row));
                let expected = whole[of * sequence + start * row + within];
                let difference = (value - expected).abs() / largest;
                // What is not a number is farthest of all.
                if difference.is_nan() || difference > worst.difference {
                    worst = StepCheck { difference, position: start + within / row };
                }
            }
        }
        start += new;
    }
    Ok(worst)
}

/// The elements of an argument.
struct Drawn<T> {
    part: Part,
    elements: Vec<T>,
}

impl<T: Copy> Drawn<T> {
    fn new(part: Part, mut draw: impl FnMut() -> T) -> Self {
        Self { part, elements: (0..part.len).map(|_| draw()).collect() }
    }

    /// The rows of `new` positions from `start` on, of `length`.
    fn rows(&self, length: usize, start: usize, new: usize) -> Self {
        let Some(row) = self.part.row else {
            return Self { part: self.part, elements: self.elements.clone() };
        };
        let sequences = self.elements.chunks(length * row);
        let elements: Vec<T> =
            sequences.flat_map(|all| &all[start * row..][..new * row]).copied().collect();
        Self { part: Part { len: elements.len(), ..self.part }, elements }
    }
}

/// The results of a run.
fn run<M, D, const AT: usize, const F: usize, const C: usize, const R: usize>(
    ws: &mut Workspace<M, D>,
    (floats, classes, results): (&[Drawn<f32>; F], &[Drawn<u32>; C], &[Part; R]),
    n: Sizes,
    run: impl FnOnce(&mut Workspace<M, D>, &[&[f32]], Call<F, C, R>) -> Result<(), DeviceError>,
) -> Result<[Vec<f32>; R], DeviceError>
where
    M: Stepwise<AT, F, C, R>,
    D: Device,
{
    let inputs = floats.each_ref().map(|drawn| &drawn.elements[..]);
    let mut number = 0..;
    let args = inputs.map(|input| {
        let at = number.next().unwrap_or(0);
        Buf::new(Region::Input(at), 0, input.len())
    });
    let mut index_at = 0;
    let classes = classes.each_ref().map(|drawn| {
        ws.classes(&mut index_at, "drawn", &drawn.elements, &[], (usize::MAX, false))
            .unwrap_or(Indices::new(0, 0))
    });
    let mut places = Places::default();
    let results = results.map(|part| places.take(part.len));
    let pass = if n[M::PAST + 1] == M::LENGTH { Pass::Infer } else { Pass::Step };
    let block = places.rest(ws.floats(AT, pass));
    run(ws, &inputs, Call { n, args, classes, results, block })?;
    let mut made = [const { Vec::new() }; R];
    for (made, result) in made.iter_mut().zip(results) {
        *made = ws.read(result)?.to_vec();
    }
    Ok(made)
}

/// The items of a function that has no step: a call of one is refused by
/// [`check::steps`](crate::check::steps), and by nothing else.
#[doc(hidden)]
#[macro_export]
macro_rules! no_step {
    ($length:ident $bind:ident $cache:ident $scratch:ident $table:ident $offsets:ident $step:ident) => {
        #[doc(hidden)]
        pub const $length: Option<usize> = None;
        #[doc(hidden)]
        pub const fn $bind<const ARGS__: usize>(
            _: [usize; ARGS__],
            _: usize,
            _: usize,
        ) -> $crate::arena::Sizes {
            [1; 4]
        }
        #[doc(hidden)]
        pub const fn $cache(_: $crate::arena::Sizes) -> usize {
            0
        }
        #[doc(hidden)]
        pub const fn $scratch(_: $crate::arena::Sizes, _: $crate::device::Target) -> usize {
            0
        }
        #[doc(hidden)]
        pub const $table: usize = 0;
        #[doc(hidden)]
        pub fn $offsets(_: $crate::arena::Sizes, _: $crate::device::Target, _: &mut Vec<usize>) {}
        #[doc(hidden)]
        #[allow(clippy::too_many_arguments)]
        pub fn $step<
            Kernels__,
            const FLOATS__: usize,
            const CLASSES__: usize,
            const RESULTS__: usize,
        >(
            _: &mut Kernels__,
            _: $crate::arena::Sizes,
            _: &[usize],
            _: $crate::device::Buf,
            _: $crate::device::Buf,
            _: [$crate::device::Buf; FLOATS__],
            _: [$crate::device::Indices; CLASSES__],
            _: [$crate::device::Buf; RESULTS__],
            _: $crate::device::Buf,
            _: $crate::device::Buf,
            _: $crate::device::Buf,
        ) {
        }
    };
}
