//! Runs step by step.

use std::marker::PhantomData;

use super::{InputError, Pass, Program, Purpose, Workspace, WorkspaceError};
use crate::arena::Sizes;
use crate::device::{Device, DeviceError, RunMemory};
use crate::function::Call;
use crate::step::{Cache, Held, StepRun, Stepwise};
use crate::storage::Storage;

/// What generated code calls.
#[doc(hidden)]
impl<M: Program, D: Device, P: Purpose> Workspace<M, D, P> {
    /// The largest run-time sizes.
    pub fn capacity(&self) -> Sizes {
        self.capacity
    }

    /// Memory for steps of the function `AT`.
    pub fn cache<const AT: usize, const F: usize, const C: usize, const R: usize>(
        &self,
        sequences: usize,
    ) -> Result<Cache<M, AT, D>, WorkspaceError>
    where
        M: Stepwise<AT, F, C, R>,
    {
        let most = M::BATCH.map_or(1, |at| self.capacity[at]);
        if !(1..=most).contains(&sequences) {
            return Err(WorkspaceError::Sequences { sequences, most });
        }
        let floats = M::cache_floats(self.sizes_of::<AT, F, C, R>([sequences, 0, M::LENGTH]));
        Ok(Cache {
            memory: self.device.allocate(floats)?,
            floats,
            sequences,
            len: 0,
            length: M::LENGTH,
            held: M::HELD,
            lost: false,
            version: None,
            model: PhantomData,
        })
    }

    /// The run-time sizes of a step, from the number of sequences, of the positions before and of
    /// the new ones.
    fn sizes_of<const AT: usize, const F: usize, const C: usize, const R: usize>(
        &self,
        [sequences, past, new]: [usize; 3],
    ) -> Sizes
    where
        M: Stepwise<AT, F, C, R>,
    {
        let mut n = [1; 4];
        if let Some(at) = M::BATCH {
            n[at] = sequences;
        }
        n[M::PAST] = past;
        n[M::PAST + 1] = new;
        n
    }

    /// The run-time sizes of the next step, whose first input has `len` elements, `row` for each
    /// position.
    pub fn step_sizes<const AT: usize, const F: usize, const C: usize, const R: usize>(
        &self,
        cache: &Cache<M, AT, D>,
        params: &Storage,
        input: &'static str,
        (len, row): (usize, usize),
    ) -> Result<Sizes, InputError>
    where
        M: Stepwise<AT, F, C, R>,
    {
        if let Some(at) = M::BATCH {
            self.size(at, "cache", cache.sequences, 1)?;
        }
        let sample = cache.sequences * row;
        let new = super::input::whole(input, len, sample)?;
        let (past, length) = (cache.len, M::LENGTH);
        let Held { positions, states } = M::HELD;
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
        Ok(self.sizes_of::<AT, F, C, R>([cache.sequences, M::past(past), new]))
    }

    /// A step of the function `AT`.
    pub fn step<const AT: usize, const F: usize, const C: usize, const R: usize>(
        &mut self,
        params: &Storage,
        cache: &mut Cache<M, AT, D>,
        inputs: &[&[f32]],
        call: Call<F, C, R>,
    ) -> Result<(), DeviceError>
    where
        M: Stepwise<AT, F, C, R>,
    {
        self.intact()?;
        if Self::PREPARED > 0 {
            self.prepare(Some(params))?;
        }
        let new = call.n[M::PAST + 1];
        let run = StepRun::<M, AT, F, C, R> {
            offsets: &self.plans[AT].offsets[Pass::Step as usize],
            call,
            cache: cache.floats,
            model: PhantomData,
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
