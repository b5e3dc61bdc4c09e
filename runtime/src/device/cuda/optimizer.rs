//! Optimizers on a GPU: parameters and state change where they are, in the graph of the step where
//! one call asks for both.

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Range as StdRange;
use std::sync::{Arc, PoisonError};

use super::error::CudaError;
use super::memory::{CudaMemory, Range};
use super::products::Factors;
use super::recording::{Arg, CudaKernel, CudaKernels, Grid, Text};
use super::replay::{Follows, Inputs, Places};
use super::staging::Scalars;
use super::timing::{Mark, Recorded};
use super::{Shared, mirror};
use crate::device::{
    Buf, DeviceError, FROZEN, Random, Region, Remote, RemoteUpdate, RunKey, SCALARS, trained,
};
use crate::ops::fill::Fill;
use crate::profile::{Cost, Phase};
use crate::storage::{Lost, Storage, merged};

const TEXT: Text = Text { room: "optim", text: include_str!("../../optim/kernels.cu") };
/// What the functions of optimizers use.
const FUNCTIONS: &str = include_str!("../../optim/functions.cuh");

/// Those of a run that updates nothing.
const NO_SCALARS: Scalars = [0.0; _];

/// Blocks that sum squares.
const PARTS: usize = 1024;

/// A step of an optimizer that is asked for.
#[derive(Clone)]
pub(super) struct Update {
    pub scalars: Scalars,
    pub follows: Follows,
    params: Range,
    /// The number of parameters that change.
    count: usize,
    /// What profiles call it, and what it costs.
    mark: Mark,
}

impl Update {
    /// What is asked for, of memory that is nowhere.
    pub fn listed(update: &RemoteUpdate<'_, '_>) -> Self {
        let mut state = [Range::default(); 3];
        for (range, storage) in state.iter_mut().zip(update.state.iter()) {
            range.len = storage.len();
        }
        Self::new(update, Range { at: 0, len: update.params.len() }, state)
    }

    fn new(update: &RemoteUpdate<'_, '_>, params: Range, state: [Range; 3]) -> Self {
        let of_state = state.iter().filter(|range| range.len > 0).map(|range| range.len);
        let count = of_state.fold(params.len, usize::min);
        let mut scalars = NO_SCALARS;
        scalars[0] = update.max_norm.unwrap_or(f32::INFINITY);
        for (to, from) in scalars[1..].chunks_exact_mut(SCALARS).zip(update.scalars) {
            to.copy_from_slice(from);
        }
        let follows = Follows {
            function: update.function,
            state,
            groups: Arc::clone(update.groups),
            clips: update.max_norm.is_some(),
            halves: false,
            scaled: false,
            renews: None,
        };
        // Parameters and state are read and written, gradients read.
        let changed = trained(update.groups, count);
        let bytes = 4 * (3 + 2 * update.state.len()) * changed;
        let mark = Mark::Step(update.name, Cost { flops: update.flops * changed, bytes });
        Self { scalars, follows, params, count, mark }
    }
}

/// What becomes of the updates of gradients: they run at once, or become a part of the next run.
#[derive(Default)]
pub(super) struct Updates {
    pub deferred: bool,
    pub next: Option<Update>,
    /// What the next run, or the last one, changes beside the gradients: parameters and state of
    /// the optimizer.
    pub changed: [Option<Lost>; 4],
}

impl Remote for CudaMemory {
    fn fetch(&self, start: usize, len: usize) -> Result<&[f32], DeviceError> {
        self.lost().check()?;
        self.outcome(self.read(start, len).map_err(DeviceError::from))
    }

    fn norm(&self, len: usize) -> Result<f32, DeviceError> {
        self.lost().check()?;
        self.outcome(self.try_norm(len).map_err(DeviceError::from))
    }

    fn update(&self, update: RemoteUpdate<'_, '_>) {
        let mut changed = [Some(update.params.lost().clone()), None, None, None];
        for (changed, state) in changed[1..].iter_mut().zip(update.state.iter()) {
            *changed = Some(state.lost().clone());
        }
        let mut updates = self.updates().lock().unwrap_or_else(PoisonError::into_inner);
        updates.changed = changed;
        drop(updates);
        if let Err(error) = self.lost().check().and_then(|()| self.try_update(update)) {
            self.lose(&error);
        }
    }

    fn renew(&self, to: &mut Storage, from: usize, still: &[StdRange<usize>]) {
        if let Err(error) = self.lost().check().and_then(|()| self.try_renew(to, from, still)) {
            to.lost().set(&error);
            self.lose(&error);
        }
    }
}

impl CudaMemory {
    /// An outcome of what was asked of the gradients. After a failure they are lost.
    fn outcome<T>(&self, outcome: Result<T, DeviceError>) -> Result<T, DeviceError> {
        outcome.inspect_err(|error| self.lost().set(error))
    }

    /// Says that a step of an optimizer along these gradients failed: it is not known whether it
    /// was made.
    pub(super) fn lose(&self, error: &DeviceError) {
        self.lost().set(error);
        let updates = self.updates().lock().unwrap_or_else(PoisonError::into_inner);
        updates.changed.iter().flatten().for_each(|changed| changed.set(error));
    }

    fn try_norm(&self, len: usize) -> Result<f32, CudaError> {
        let key = RunKey { name: "norm", n: [len, 1, 1, 1], want_inputs: false };
        let norm = self.norm_block()?;
        self.launch_alone(
            key,
            None,
            self.places(Range::default()),
            (Factors::F32, None),
            &NO_SCALARS,
            |step| {
                step.norm(len, Arg::Address(norm.range().at), false, &[]);
            },
        )?;
        let mut read = [0.0];
        norm.download(0, &mut read)?;
        Ok(read[0])
    }

    fn try_update(&self, update: RemoteUpdate<'_, '_>) -> Result<(), DeviceError> {
        let shared = self.shared();
        let params = mirror::change(shared, update.params)?;
        let mut state = [Range::default(); 3];
        for (range, storage) in state.iter_mut().zip(update.state.iter_mut()) {
            *range = mirror::change(shared, storage)?;
        }
        let halves = mirror::renewed(shared, update.params);
        let recorded = update.profile.map(|profile| {
            let (name, phase) = (update.name, Phase::Step);
            Recorded { profile, name, phase }
        });
        let mut update = Update::new(&update, params, state);
        let mut updates = self.updates().lock().unwrap_or_else(PoisonError::into_inner);
        if updates.deferred {
            updates.next = Some(update);
            return Ok(());
        }
        update.follows.halves = halves.is_some();
        let loss_scale = self.known_loss_scale();
        update.follows.scaled = loss_scale.is_some();
        let (halves, factors) = halves.unwrap_or_default();
        let key = RunKey { name: "update", n: [update.count, 1, 1, 1], want_inputs: false };
        Ok(self.launch_alone(
            key,
            Some(update.follows.clone()),
            Places { halves, loss_scale: loss_scale.unwrap_or_default(), ..self.places(params) },
            (factors, recorded),
            &update.scalars,
            |step| {
                step.update(&update);
            },
        )?)
    }

    fn try_renew(
        &self,
        to: &mut Storage,
        from: usize,
        still: &[StdRange<usize>],
    ) -> Result<(), DeviceError> {
        let still: Vec<_> = merged(to.kept(), still).collect();
        let params = mirror::change(self.shared(), to)?;
        let mut updates = self.updates().lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(update) = &mut updates.next {
            update.follows.renews = Some((from, still));
            return Ok(());
        }
        let key = RunKey { name: "renew", n: [from, 1, 1, 1], want_inputs: false };
        // What stays is no part of the key, so a run that leaves some out is recorded each time.
        let key = still.is_empty().then_some(key);
        let places = self.places(params);
        Ok(self.launch_alone(key, None, places, (Factors::F32, None), &NO_SCALARS, |step| {
            step.renew(from, params.len, &still);
        })?)
    }

    fn places(&self, params: Range) -> Places {
        Places { params, grads: self.range(), ..Places::default() }
    }

    /// A run that is given scalars and nothing else.
    fn launch_alone(
        &self,
        key: impl Into<Option<RunKey>>,
        follows: Option<Follows>,
        places: Places,
        (factors, recorded): (Factors, Option<Recorded<'_>>),
        scalars: &Scalars,
        record: impl FnOnce(&mut CudaKernels),
    ) -> Result<(), CudaError> {
        let shared: &Arc<Shared> = self.shared();
        shared.bind()?;
        let mut runs = self.runs();
        let placed = runs.staging.place(shared, &[], &[], Random::default(), scalars)?;
        let inputs = Inputs { floats: &[], placed, factors, recorded };
        runs.launch(shared, key.into(), follows, places, &inputs, record)?;
        runs.staging.used(shared, placed)
    }
}

impl CudaKernels {
    /// `norm [1]`, that of the first `len` gradients; or what it makes a step multiply them by.
    /// What is frozen by `groups` is no part of it.
    fn norm(&mut self, len: usize, norm: Arg, as_factor: bool, groups: &[(usize, u8)]) {
        let grads = Buf::new(Region::Grads, 0, len);
        let [_, parts] = self.scratch([1, 2 * PARTS]);
        let args = [("parts", parts), ("grads", grads.into()), ("count", len.into())];
        let kernel = TEXT.kernel("squares").with("PARTS", PARTS);
        let freezes = groups.iter().any(|(_, group)| *group == FROZEN);
        let kernel = if freezes { of_groups(kernel, groups) } else { kernel };
        self.launch(kernel, Grid::rows(PARTS), &args);
        let args = [("norm", norm), ("parts", parts), ("scalars", Arg::Scalars)];
        let kernel = TEXT.kernel("gradient_norm").with("PARTS", PARTS).with("SCALARS", SCALARS);
        let kernel = kernel.with("AS_FACTOR", u8::from(as_factor));
        self.launch(kernel, Grid::rows(1), &args);
    }

    /// An optimizer's step.
    pub(super) fn update(&mut self, update: &Update) {
        let Update { follows, count, .. } = update;
        self.mark(update.mark);
        let mut factor = Arg::Null;
        if follows.clips {
            [factor, _] = self.scratch([1, 2 * PARTS]);
            self.norm(*count, factor, true, &follows.groups);
        }
        let state = follows.state.map(|range| match range.len {
            0 => Arg::Null,
            _ => Arg::Address(range.at),
        });
        let params = Buf::new(Region::Params, 0, *count);
        let halves = follows.halves.then(|| params.halves_of_params());
        let args = [
            ("params", params.into()),
            ("halves", halves.into()),
            ("grads", Buf::new(Region::Grads, 0, *count).into()),
            ("s0", state[0]),
            ("s1", state[1]),
            ("s2", state[2]),
            ("scalars", Arg::Scalars),
            ("factor", factor),
            ("loss_scale", if follows.scaled { Arg::LossScale } else { Arg::Null }),
            ("count", (*count).into()),
        ];
        let kernel = CudaKernel {
            library: FUNCTIONS,
            text: Cow::Owned(format!("{}{}", follows.function.cuda, TEXT.text)),
            ..TEXT.kernel("update")
        };
        let kernel = kernel.with("UPDATE", follows.function.name).with("SCALARS", SCALARS);
        self.launch(of_groups(kernel, &follows.groups), Grid::each(*count), &args);
        if let Some((from, still)) = &follows.renews {
            self.renew(*from, update.params.len, still);
        }
    }

    /// The new state takes the place of the old, but for what stays.
    fn renew(&mut self, from: usize, end: usize, still: &[StdRange<usize>]) {
        let mut start = from;
        let gaps = still.iter().map(|gap| from + gap.start..from + gap.end);
        for gap in gaps.chain(std::iter::once(end..end)) {
            if start < gap.start {
                let len = gap.start - start;
                let [to, state] = [Region::Params, Region::Grads].map(|r| Buf::new(r, start, len));
                self.copy(to, state);
            }
            start = start.max(gap.end);
        }
    }
}

/// A kernel that looks up the groups of elements.
fn of_groups(kernel: CudaKernel, runs: &[(usize, u8)]) -> CudaKernel {
    let kernel = kernel.with("RUNS", runs.len());
    if runs.is_empty() {
        return kernel;
    }
    let (mut ends, mut groups) = (String::new(), String::new());
    for (end, group) in runs {
        let _ = write!(ends, "{end}u, ");
        let _ = write!(groups, "{group}, ");
    }
    kernel.with("ENDS", ends).with("GROUPS", groups)
}
