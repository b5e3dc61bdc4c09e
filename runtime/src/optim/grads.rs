//! The gradients of a network, to read and to change.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::norm;
use crate::device::{Changing, DeviceError, Host, Lent, Remote};
use crate::module::{Model, ParamSpec, Select, SelectError, Selected};
use crate::profile::Profile;
use crate::storage::merged;

/// The gradients of all parameters of an `M`, in the order of [`Model::params`], and the state
/// that the same pass made.
///
/// The type names the model, so the gradients of one network do not step another:
///
/// ```compile_fail,E0308
/// use gradiron::module::Model;
/// use gradiron::optim::{Adam, Grads, Optimizer};
///
/// fn mistake<A: Model, B: Model>(adam: &mut Adam<A>, net: &mut A, grads: Grads<'_, B>) {
///     adam.step(net, grads);
/// }
/// ```
pub struct Grads<'a, M> {
    pub(super) source: Source<'a>,
    /// Where a step is recorded.
    pub(super) profile: Option<&'a Profile>,
    /// The ranges of parameters that have none: those that the loss does not train.
    pub(super) absent: &'static [[usize; 2]],
    /// Whether no step was made along them yet; of gradients from elsewhere nobody knows.
    fresh: Option<&'a AtomicBool>,
    /// How many samples are in a mean that waits for a step, and these are not among them.
    waiting: usize,
    model: PhantomData<fn() -> M>,
}

/// Where gradients are, and behind them the new state.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// In memory of the host. A step runs on what stands beside them, on the calling thread where
    /// there is nothing.
    Host { grads: &'a [f32], state: &'a [f32], host: Option<Host<'a>> },
    /// On a device with memory of its own.
    Device { remote: &'a dyn Remote, params: usize, state: usize },
}

impl<'a, M> Grads<'a, M> {
    #[doc(hidden)]
    pub const fn new(grads: &'a [f32], state: &'a [f32], host: Option<Host<'a>>) -> Self {
        let source = Source::Host { grads, state, host };
        Self { source, absent: &[], profile: None, fresh: None, waiting: 0, model: PhantomData }
    }

    /// The gradients of as many parameters, and behind them as many floats of state.
    pub(crate) fn lent(lent: Lent<'a>, params: usize, state: usize) -> Self {
        match lent {
            Lent::Host(floats, host) => {
                let (grads, rest) = floats.split_at(params);
                Self::new(grads, &rest[..state], Some(host))
            }
            Lent::Device(remote) => {
                let source = Source::Device { remote, params, state };
                Self {
                    source,
                    absent: &[],
                    profile: None,
                    fresh: None,
                    waiting: 0,
                    model: PhantomData,
                }
            }
        }
    }

    pub(crate) const fn recorded(self, profile: Option<&'a Profile>) -> Self {
        Self { profile, ..self }
    }

    /// Those of a loss that leaves some parameters alone.
    pub(crate) const fn without(self, absent: &'static [[usize; 2]]) -> Self {
        Self { absent, ..self }
    }

    /// Whether there is a gradient of this parameter: not where the loss leaves it alone, by
    /// `#[trains(…)]` or `#[frozen]`. What has none keeps its value and its part of an optimizer's
    /// state in a step, as what has the gradient `None` in PyTorch; in the flat slice it is zeros.
    pub fn has(&self, param: &ParamSpec) -> bool {
        let is_absent = |range: &[usize; 2]| (range[0]..range[1]).contains(&param.start);
        !param.frozen && !self.absent.iter().any(is_absent)
    }

    /// Those of a workspace, along which one step is made.
    pub(crate) const fn once(self, fresh: &'a AtomicBool) -> Self {
        Self { fresh: Some(fresh), ..self }
    }

    /// The same, beside a mean of so many samples that waits for a step.
    pub(crate) const fn beside(self, waiting: usize) -> Self {
        Self { waiting, ..self }
    }

    /// The same gradients for a step more: that of a second optimizer, which trains other
    /// parameters, or one that is meant to go the same way again.
    #[must_use]
    pub const fn again(self) -> Self {
        Self { fresh: None, ..self }
    }

    /// Whether no step was made along them since the call that made them.
    pub fn are_fresh(&self) -> bool {
        self.fresh.is_none_or(|fresh| fresh.load(Ordering::Relaxed))
    }

    /// Takes them for a step.
    #[track_caller]
    pub(super) fn take(&self) {
        assert!(
            self.waiting == 0,
            "gradiron: the mean of {} samples waits for a step, and these gradients are not in it: \
             call `ws.accumulate(…)` before the step, or `ws.zero_grad()` before `loss_grad` to \
             forget them",
            self.waiting
        );
        let are_fresh = self.fresh.is_none_or(|fresh| fresh.swap(false, Ordering::Relaxed));
        assert!(
            are_fresh,
            "gradiron: there are no new gradients for this step: no call has made any since the \
             last one; call `loss_grad`, not `loss`, before each step, or say \
             `ws.grads().again()` where a second step along the same ones is meant"
        );
    }

    /// The norm of all gradients together: the root of the sum of their squares. It has the same
    /// bits for any number of threads.
    ///
    /// # Panics
    /// When the gradients are on a device that is lost.
    pub fn norm(&self) -> f32 {
        match self.source {
            Source::Host { grads, host, .. } => norm::norm(grads, host, &[]) as f32,
            Source::Device { remote, params, .. } => here(remote.norm(params)),
        }
    }

    /// The gradients, in the order of [`Model::params`].
    ///
    /// # Panics
    /// When they are on a device that is lost.
    pub fn as_slice(&self) -> &'a [f32] {
        match self.source {
            Source::Host { grads, .. } => grads,
            Source::Device { remote, params, .. } => here(remote.fetch(0, params)),
        }
    }

    /// The gradients of the parameters that `what` chooses, as [`Model::select`] has these: each
    /// by name, their norms by layer. [`Workspace::grads_mut`](crate::Workspace::grads_mut) has
    /// them to change.
    ///
    /// # Errors
    /// When a name matches no parameter.
    ///
    /// # Panics
    /// When they are on a device that is lost.
    pub fn select(&self, what: impl Select<M>) -> Result<Selected<&'a [f32]>, SelectError>
    where
        M: Model,
    {
        Ok(Selected::new(what.selection()?.shared(), self.as_slice()))
    }

    /// The new state, in the order of [`Model::state`]; nothing when no pass has made one.
    ///
    /// # Panics
    /// When it is on a device that is lost.
    pub fn state(&self) -> &'a [f32] {
        match self.source {
            Source::Host { state, .. } => state,
            Source::Device { remote, params, state } => here(remote.fetch(params, state)),
        }
    }

    /// Renews the state of `net`, but for its buffers and what is `still`; does nothing when no
    /// pass has made a new one.
    pub(crate) fn renew_state(&self, net: &mut M, still: &[Range<usize>])
    where
        M: Model,
    {
        match (self.source, net.storage()) {
            (Source::Host { state: [], .. } | Source::Device { state: 0, .. }, _) => {}
            (Source::Device { remote, params, .. }, Some(storage)) => {
                remote.renew(storage, params, still);
            }
            _ => {
                let kept = net.stored().map(|stored| Arc::clone(stored.kept())).unwrap_or_default();
                let (old, new) = (net.state_mut(), self.state());
                let mut start = 0;
                for gap in merged(&kept, still) {
                    if start < gap.start {
                        old[start..gap.start].copy_from_slice(&new[start..gap.start]);
                    }
                    start = start.max(gap.end);
                }
                old[start..].copy_from_slice(&new[start..]);
            }
        }
    }
}

/// The gradients of all parameters of an `M`, to change before an optimizer's step: those of a
/// layer are scaled, clipped or added to. They are where they were when this is dropped; on a GPU
/// they are brought to the host and back.
#[derive(Debug)]
pub struct GradsMut<'a, M> {
    floats: Changing<'a>,
    model: PhantomData<fn() -> M>,
}

impl<'a, M> GradsMut<'a, M> {
    pub(crate) fn new(floats: Result<Changing<'a>, DeviceError>) -> Self {
        Self { floats: here(floats), model: PhantomData }
    }

    /// The gradients, in the order of [`Model::params`].
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.floats
    }

    /// The gradients of the parameters that `what` chooses, to change.
    ///
    /// # Errors
    /// When a name matches no parameter.
    pub fn select_mut(&mut self, what: impl Select<M>) -> Result<Selected<&mut [f32]>, SelectError>
    where
        M: Model,
    {
        Ok(Selected::new(what.selection()?.shared(), &mut *self.floats))
    }
}

/// What a device brought to the host.
fn here<T>(brought: Result<T, DeviceError>) -> T {
    match brought {
        Ok(brought) => brought,
        Err(error) => panic!("gradiron: gradients are lost with their device: {error}"),
    }
}

impl<M> Clone for Grads<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Grads<'_, M> {}

impl<M> std::fmt::Debug for Grads<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let len = match self.source {
            Source::Host { grads, .. } => grads.len(),
            Source::Device { params, .. } => params,
        };
        write!(f, "Grads({len} floats)")
    }
}
