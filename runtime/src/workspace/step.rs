//! Runs step by step.

use std::marker::PhantomData;

use super::{InputError, Pass, Program, Workspace, WorkspaceError};
use crate::arena::Sizes;
use crate::device::{Device, DeviceError, StepMemory};
use crate::function::Call;
use crate::step::{Cache, StepRun, Stepwise};
use crate::storage::Storage;

/// What generated code calls.
#[doc(hidden)]
impl<M: Program, D: Device> Workspace<M, D> {
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
        let new = super::whole(input, len, sample)?;
        let (past, length) = (cache.len, M::LENGTH);
        match new {
            0 => return Err(InputError::Empty { input }),
            new if new > length - past => {
                return Err(InputError::Full { input, new, past, length });
            }
            _ => {}
        }
        if past > 0 && cache.version != Some(params.version()) {
            return Err(InputError::Stale);
        }
        Ok(self.sizes_of::<AT, F, C, R>([cache.sequences, past, new]))
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
        if Self::PREPARED > 0 {
            self.prepare(Some(params))?;
        }
        let new = call.n[M::PAST + 1];
        let run = StepRun::<M, AT, F, C, R> {
            offsets: &self.plans[AT].offsets[Pass::Step as usize],
            call,
            prepared: self.prepared_at,
            cache: cache.floats,
            model: PhantomData,
        };
        let memory = StepMemory {
            params,
            grads: &mut self.grads,
            arena: &mut self.arena,
            cache: Some(&mut cache.memory),
            random: self.random,
            inputs,
            indices: &self.indices,
        };
        self.device.run(memory, run)?;
        cache.len += new;
        cache.version = Some(params.version());
        Ok(())
    }
}
