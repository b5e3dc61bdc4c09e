//! Runs step by step.

use std::marker::PhantomData;

use super::run::{Inputs, Ran, input_bufs};
use super::{InputError, Pass, Program, Purpose, Workspace, WorkspaceError};
use crate::arena::{Places, Sizes};
use crate::device::{Buf, Device, DeviceError, Region, RunMemory};
use crate::function::Call;
use crate::step::{Cache, Held, Part, StepRun, Stepwise};
use crate::storage::Storage;

/// What generated code calls.
#[doc(hidden)]
impl<M: Program, D: Device, P: Purpose> Workspace<M, D, P> {
    /// The largest run-time sizes.
    pub fn capacity(&self) -> Sizes {
        self.capacity
    }

    /// Memory for steps of the function `AT`.
    pub fn cache<F, const AT: usize, const A: usize, const C: usize, const R: usize>(
        &self,
        _: F,
        sequences: usize,
    ) -> Result<Cache<M, AT, D>, WorkspaceError>
    where
        F: Stepwise<AT, A, C, R, Model = M>,
    {
        let most = F::BATCH.map_or(1, |at| self.capacity[at]);
        if !(1..=most).contains(&sequences) {
            return Err(WorkspaceError::Sequences { sequences, most });
        }
        let floats = F::cache_floats(sizes_of::<F, AT, A, C, R>([sequences, 0, F::LENGTH]));
        Ok(Cache {
            memory: self.device.allocate(floats)?,
            floats,
            sequences,
            len: 0,
            length: F::LENGTH,
            held: F::HELD,
            lost: false,
            version: None,
            model: PhantomData,
        })
    }

    /// The run-time sizes of the next step, whose first input has `len` elements, `row` for each
    /// position.
    pub fn step_sizes<F, const AT: usize, const A: usize, const C: usize, const R: usize>(
        &self,
        _: F,
        cache: &Cache<M, AT, D>,
        params: &Storage,
        input: &'static str,
        (len, row): (usize, usize),
    ) -> Result<Sizes, InputError>
    where
        F: Stepwise<AT, A, C, R, Model = M>,
    {
        if let Some(at) = F::BATCH {
            self.size(at, "cache", cache.sequences, 1)?;
        }
        let sample = cache.sequences * row;
        let new = super::input::whole(input, len, sample)?;
        let (past, length) = (cache.len, F::LENGTH);
        let Held { positions, states } = F::HELD;
        match new {
            0 => return Err(InputError::Empty { input }),
            new if !positions && new > length => {
                return Err(InputError::TooMany { input, new, length });
            }
            new if positions && new > length - past => {
                return Err(match states && past > 0 {
                    true => InputError::FullOfStates { input, new, past, length },
                    false => InputError::Full { input, new, past, length },
                });
            }
            _ => {}
        }
        if !self.device.owns(&cache.memory) {
            return Err(InputError::OtherDevice);
        }
        if cache.lost {
            return Err(InputError::LostCache);
        }
        if past > 0 && cache.version != Some(params.version()) {
            return Err(InputError::Stale);
        }
        Ok(sizes_of::<F, AT, A, C, R>([cache.sequences, F::past(past), new]))
    }

    /// A step of a function.
    pub fn step<'w, F, const AT: usize, const A: usize, const C: usize, const R: usize>(
        &'w mut self,
        _: F,
        params: &Storage,
        cache: &mut Cache<M, AT, D>,
        inputs: Inputs<A, C>,
    ) -> Result<Ran<'w, M, D, P, A, R>, DeviceError>
    where
        F: Stepwise<AT, A, C, R, Model = M>,
    {
        // Of the arguments and the results, the rows of the new positions.
        let (n, new) = (inputs.n, inputs.n[F::PAST + 1]);
        let len = |part: Part| match part.row {
            Some(_) => part.len / F::LENGTH * new,
            None => part.len,
        };
        let mut whole = n;
        whole[F::PAST..][..2].copy_from_slice(&[0, F::LENGTH]);
        let (args, _, results) = F::parts(whole);
        let mut places = Places::default();
        let call = Call {
            n,
            args: input_bufs(args.map(len)),
            classes: inputs.classes,
            results: results.map(|part| places.take(len(part))),
            block: places.rest(self.plans[F::AT].floats[Pass::Step as usize]),
        };
        self.step_call::<F, AT, A, C, R>(params, cache, &inputs.floats, call)?;
        let d_args = [Buf::new(Region::Arena, 0, 0); A];
        Ok(Ran { ws: self, results: call.results, d_args })
    }

    pub(super) fn step_call<F, const AT: usize, const A: usize, const C: usize, const R: usize>(
        &mut self,
        params: &Storage,
        cache: &mut Cache<M, AT, D>,
        inputs: &[&[f32]],
        call: Call<A, C, R>,
    ) -> Result<(), DeviceError>
    where
        F: Stepwise<AT, A, C, R, Model = M>,
    {
        self.intact()?;
        if Self::PREPARED > 0 {
            self.prepare(Some(params))?;
        }
        let new = call.n[F::PAST + 1];
        let run = StepRun::<F, AT, A, C, R> {
            offsets: &self.plans[F::AT].offsets[Pass::Step as usize],
            call,
            cache: cache.floats,
            function: PhantomData,
        };
        let memory = RunMemory {
            params,
            grads: &mut self.grads,
            arena: &mut self.arena,
            cache: Some(&mut cache.memory),
            prepared: self.prepared.as_ref().map(|(_, prepared)| &**prepared),
            random: self.random,
            inputs,
            indices: &self.indices,
        };
        // Until the step has ended well, states are between two positions.
        cache.lost = true;
        let outcome = self.device.run(memory, run);
        self.outcome(outcome)?;
        cache.lost = false;
        cache.len = cache.len.saturating_add(new);
        cache.version = Some(params.version());
        Ok(())
    }
}

/// The run-time sizes of a step, from the number of sequences, of the positions before and of the
/// new ones.
fn sizes_of<F, const AT: usize, const A: usize, const C: usize, const R: usize>(
    [sequences, past, new]: [usize; 3],
) -> Sizes
where
    F: Stepwise<AT, A, C, R>,
{
    let mut n = [1; 4];
    if let Some(at) = F::BATCH {
        n[at] = sequences;
    }
    n[F::PAST] = past;
    n[F::PAST + 1] = new;
    n
}
