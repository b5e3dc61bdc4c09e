//! Whether a function on whole sequences and its steps agree.

use super::{Cache, Workspace, WorkspaceError};
use crate::arena::{Places, Sizes};
use crate::device::{Buf, Device, DeviceError, Indices, Region};
use crate::function::Call;
use crate::program::{Pass, Purpose};
use crate::rng::Rng;
use crate::rng::Seed;
use crate::step::{Part, Stepwise};
use crate::storage::Storage;

/// How far a function on whole sequences and its steps are apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepCheck {
    /// The largest difference of two results, divided by the largest magnitude among all.
    pub difference: f32,
    /// The position where it is.
    pub position: usize,
}

/// Runs the function `AT` on sequences drawn from `seed`: floats from a normal distribution, class
/// indices from all. Steps take 2, 3, … positions, so that all but the first meet a cache. Before
/// each of them others are taken and taken back, so that what a cache forgets is seen to be
/// forgotten.
#[doc(hidden)]
pub fn check_steps<F, D, P, const AT: usize, const A: usize, const C: usize, const R: usize>(
    function: F,
    ws: &mut Workspace<F::Model, D, P>,
    params: &Storage,
    seed: Seed,
) -> Result<StepCheck, WorkspaceError>
where
    F: Stepwise<AT, A, C, R>,
    D: Device,
    P: Purpose,
{
    let mut n = ws.capacity();
    n[F::PAST..][..2].copy_from_slice(&[0, F::LENGTH]);
    let sequences = F::BATCH.map_or(1, |at| n[at]);
    let mut cache = ws.cache(function, sequences)?;
    let (floats, classes, results) = F::parts(n);
    let mut room = Ok(());
    let [given, others] = [0, 1].map(|stream| {
        let mut rng = Rng::new(seed, stream);
        let floats = floats.map(|part| Drawn::new(part, &mut room, || rng.normal()));
        let mut bounds = F::BOUNDS.into_iter();
        let classes = classes.map(|part| {
            let bound = bounds.next().unwrap_or(1);
            Drawn::new(part, &mut room, || rng.below(bound) as u32)
        });
        (floats, classes)
    });
    room?;
    let whole =
        run::<F, D, P, AT, A, C, R>(ws, (&given.0, &given.1, &results), n, |ws, inputs, call| {
            ws.infer_call::<F, A, C, R>(Some(params), inputs, call)
        })?;
    let largest = whole.iter().flatten().fold(f32::MIN_POSITIVE, |most, v| most.max(v.abs()));
    let mut steps =
        |cache: &mut Cache<F::Model, AT, D>, all: &Sequences<A, C>, start: usize, new: usize| {
            let mut n = n;
            n[F::PAST..][..2].copy_from_slice(&[F::past(start), new]);
            let (floats, classes) = rows(all, F::LENGTH, start, new)?;
            let results = results.map(|part| Part { len: part.len / F::LENGTH * new, ..part });
            let taken = (&floats, &classes, &results);
            run::<F, D, P, AT, A, C, R>(ws, taken, n, |ws, inputs, call| {
                ws.step_call::<F, AT, A, C, R>(params, cache, inputs, call)
            })
        };
    let mut worst = StepCheck { difference: 0.0, position: 0 };
    let (mut start, mut new) = (0, 1);
    while start < F::LENGTH {
        new = (new + 1).min(F::LENGTH - start).max(1);
        if start == 0 || !F::HELD.states {
            steps(&mut cache, &others, start, new)?;
            cache.truncate(start).expect("to its start, or without states");
        }
        let made = steps(&mut cache, &given, start, new)?;
        for ((whole, made), part) in whole.iter().zip(&made).zip(&results) {
            let row = part.row.expect("a result has a row for each position").max(1);
            let sequence = F::LENGTH * row;
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

/// The arguments of a function over whole sequences.
type Sequences<const F: usize, const C: usize> = ([Drawn<f32>; F], [Drawn<u32>; C]);

/// The rows of new positions, of all arguments.
fn rows<const F: usize, const C: usize>(
    all: &Sequences<F, C>,
    length: usize,
    start: usize,
    new: usize,
) -> Result<Sequences<F, C>, DeviceError> {
    let mut room = Ok(());
    let mut keep = |error| room = Err(error);
    let floats = all.0.each_ref().map(|all| match all.rows(length, start, new) {
        Ok(rows) => rows,
        Err(error) => {
            keep(error);
            Drawn { part: all.part, elements: Vec::new() }
        }
    });
    let classes = all.1.each_ref().map(|all| match all.rows(length, start, new) {
        Ok(rows) => rows,
        Err(error) => {
            keep(error);
            Drawn { part: all.part, elements: Vec::new() }
        }
    });
    room.map(|()| (floats, classes))
}

/// The elements of an argument.
struct Drawn<T> {
    part: Part,
    elements: Vec<T>,
}

impl<T: Copy> Drawn<T> {
    /// Draws all elements; none where there is no memory for them.
    fn new(part: Part, room: &mut Result<(), DeviceError>, mut draw: impl FnMut() -> T) -> Self {
        match vec_of(part.len) {
            Ok(mut elements) => {
                elements.extend((0..part.len).map(|_| draw()));
                Self { part, elements }
            }
            Err(error) => {
                *room = Err(error);
                Self { part, elements: Vec::new() }
            }
        }
    }

    /// The rows of `new` positions from `start` on, of `length`.
    fn rows(&self, length: usize, start: usize, new: usize) -> Result<Self, DeviceError> {
        let Some(row) = self.part.row else {
            return Ok(Self { part: self.part, elements: copied(&self.elements)? });
        };
        let len = self.part.len / length * new;
        let sequences = self.elements.chunks(length * row);
        let mut elements = vec_of(len)?;
        elements.extend(sequences.flat_map(|all| &all[start * row..][..new * row]));
        Ok(Self { part: Part { len, ..self.part }, elements })
    }
}

/// An empty vector with memory for so many elements.
fn vec_of<T>(len: usize) -> Result<Vec<T>, DeviceError> {
    let mut elements = Vec::new();
    let bytes = len.saturating_mul(size_of::<T>());
    let out_of_memory = |_| DeviceError::OutOfMemory { device: "host", bytes };
    elements.try_reserve_exact(len).map_err(out_of_memory)?;
    Ok(elements)
}

fn copied<T: Copy>(elements: &[T]) -> Result<Vec<T>, DeviceError> {
    let mut copy = vec_of(elements.len())?;
    copy.extend_from_slice(elements);
    Ok(copy)
}

/// The results of a run.
fn run<F, D, P, const AT: usize, const A: usize, const C: usize, const R: usize>(
    ws: &mut Workspace<F::Model, D, P>,
    (floats, classes, results): (&[Drawn<f32>; A], &[Drawn<u32>; C], &[Part; R]),
    n: Sizes,
    run: impl FnOnce(
        &mut Workspace<F::Model, D, P>,
        &[&[f32]],
        Call<A, C, R>,
    ) -> Result<(), DeviceError>,
) -> Result<[Vec<f32>; R], DeviceError>
where
    F: Stepwise<AT, A, C, R>,
    D: Device,
    P: Purpose,
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
    let pass = if n[F::PAST + 1] == F::LENGTH { Pass::Infer } else { Pass::Step };
    let block = places.rest(ws.plans[F::AT].floats[pass as usize]);
    run(ws, &inputs, Call { n, args, classes, results, block })?;
    let mut made = [const { Vec::new() }; R];
    for (made, result) in made.iter_mut().zip(results) {
        *made = copied(ws.read(result)?)?;
    }
    Ok(made)
}
