//! The step of every optimizer: one pass over parameters, gradients and state.

use std::time::Instant;

use super::groups::Row;
use super::{Grads, Settings, Source, norm};
use crate::device::{GROUPS, Host, RemoteFunction, RemoteUpdate, SCALARS, SharedMut, trained};
use crate::math::{Arith, Body, SimdLevel};
use crate::module::Model;
use crate::profile::Cost;
use crate::storage::Storage;

/// Elements of a block, which is computed in registers.
const BLOCK: usize = 32;
/// Elements that one thread takes at a time.
const CHUNK: usize = 1 << 13;

/// How one parameter and its `S` numbers of state change along its gradient.
pub(super) trait Update<const S: usize>: Copy + Sync {
    /// Floating-point operations of an element without weight decay; a root is one.
    const FLOPS: usize;
    /// The same for devices with memory of their own.
    const REMOTE: RemoteFunction;

    /// The numbers that the function there takes: first the sign of gradients and the weight decay.
    fn scalars(self) -> [f32; SCALARS];

    /// The step on processors, as this library compiled it: what is generic over models is compiled
    /// with these, which may be without optimisation.
    fn apart(step: OnHost<'_, Self, S>) -> usize;

    /// The new parameter and state. Without fused multiply-add, so that vectors of any width give
    /// the same bits.
    fn element(self, p: f32, g: f32, state: [f32; S]) -> (f32, [f32; S]);
}

/// The scalars of an update, with zeros behind them.
pub(super) const fn scalars<const N: usize>(values: [f32; N]) -> [f32; SCALARS] {
    let (mut scalars, mut i) = ([0.0; SCALARS], 0);
    while i < N {
        scalars[i] = values[i];
        i += 1;
    }
    scalars
}

/// Changes the parameters of `net` that train, and the state with them, where the gradients are:
/// those of a group by the update that `update` makes of it.
/// Profiles call the step `name`.
#[inline]
pub(super) fn step<M: Model, U: Update<S>, const S: usize>(
    name: &'static str,
    net: &mut M,
    grads: Grads<'_, M>,
    mut state: [&mut Storage; S],
    update: impl Fn(&Row) -> U,
    settings: &Settings,
) {
    let rows = settings.groups.rows();
    let (one, mut many);
    let updates: &[U] = match rows {
        // Nearly always: small steps are done sooner than 32 updates are copied.
        [row] => {
            one = [update(row)];
            &one
        }
        rows => {
            many = [update(&rows[0]); GROUPS];
            many.iter_mut().zip(rows).skip(1).for_each(|(to, row)| *to = update(row));
            &many[..rows.len()]
        }
    };
    let recorded = grads.profile.map(|profile| (profile, Instant::now()));
    let len = match grads.source {
        Source::Host { grads, host, .. } => {
            let params = net.params_mut();
            step_on_host(OnHost { params, grads, host, state, updates, settings })
        }
        Source::Device { remote, .. } => {
            if let Some(params) = net.storage() {
                let mut scalars = [[0.0; SCALARS]; GROUPS];
                for (scalars, update) in scalars.iter_mut().zip(updates) {
                    *scalars = update.scalars();
                }
                return remote.update(RemoteUpdate {
                    function: U::REMOTE,
                    scalars: &scalars[..rows.len()],
                    params,
                    state: &mut state,
                    groups: settings.groups.runs(),
                    max_norm: settings.max_norm,
                    name,
                    flops: U::FLOPS,
                    profile: grads.profile,
                });
            }
            // Parameters that only their owner can reach.
            let (params, grads, host) = (net.params_mut(), grads.as_slice(), None);
            step_on_host(OnHost { params, grads, host, state, updates, settings })
        }
    };
    if let Some((profile, start)) = recorded {
        let len = trained(settings.groups.runs(), len);
        // Parameters and state are read and written, gradients read.
        let cost = Cost { flops: U::FLOPS * len, bytes: 4 * (3 + 2 * S) * len };
        profile.optimizer_step(name, start, cost);
    }
}

/// What a step on processors works on.
pub(super) struct OnHost<'a, U, const S: usize> {
    params: &'a mut [f32],
    grads: &'a [f32],
    host: Option<Host<'a>>,
    state: [&'a mut Storage; S],
    updates: &'a [U],
    settings: &'a Settings,
}

/// `fn apart` of an update with so many numbers of state: no generic function, so that this library
/// compiles it.
macro_rules! apart {
    ($state:literal) => {
        fn apart(step: crate::optim::pass::OnHost<'_, Self, $state>) -> usize {
            step.run()
        }
    };
}

pub(super) use apart;

/// Gives the number of elements.
#[inline]
fn step_on_host<U: Update<S>, const S: usize>(step: OnHost<'_, U, S>) -> usize {
    match cfg!(debug_assertions) {
        true => U::apart(step),
        false => step.run(),
    }
}

impl<U: Update<S>, const S: usize> OnHost<'_, U, S> {
    #[inline]
    pub(super) fn run(self) -> usize {
        let Self { params, grads, host, state, updates, settings } = self;
        let _flush = host.and_then(|host| host.threads.flush());
        let scale = settings.scale(|| norm::norm(grads, host, settings.groups.runs()));
        let state = state.map(Storage::as_mut_slice);
        let len = state.iter().map(|s| s.len()).fold(params.len().min(grads.len()), usize::min);
        let (params, state) = (SharedMut::new(params), state.map(SharedMut::new));
        let level = host.map_or_else(SimdLevel::detect, |host| host.level);
        let run = |start: usize, len: usize| {
            settings.groups.parts(start..start + len, |part, row| {
                let (start, len) = (part.start, part.len());
                level.run(Part {
                    params: params.at(start, len),
                    grads: &grads[part],
                    scale,
                    state: state.each_ref().map(|s| s.at(start, len)),
                    update: updates[row],
                });
            });
        };
        match host {
            Some(Host { threads, .. }) if len > CHUNK => {
                // Floats moved, and divisions.
                let work = (4 + 4 * S) * len;
                threads.run_if(work, len.div_ceil(CHUNK), &|chunk| {
                    let start = chunk * CHUNK;
                    run(start, CHUNK.min(len - start));
                });
            }
            _ => run(0, len),
        }
        len
    }
}

/// The elements that one call takes: pointers to as many as `grads` has.
struct Part<'a, U, const S: usize> {
    params: *mut f32,
    grads: &'a [f32],
    scale: f32,
    state: [*mut f32; S],
    update: U,
}

impl<U: Update<S>, const S: usize> Body for Part<'_, U, S> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arith>(self) {
        let Self { params, grads, scale, state, update } = self;
        let (blocks, rest) = grads.as_chunks::<BLOCK>();
        for (i, g) in blocks.iter().enumerate() {
            // SAFETY: `at` checked that the part is inside parameters and state, and the block is
            // one of its whole blocks.
            let (p, s) = unsafe {
                let at = i * BLOCK;
                (
                    params.add(at).cast::<[f32; BLOCK]>(),
                    state.map(|s| s.add(at).cast::<[f32; BLOCK]>()),
                )
            };
            // Copies on the stack: nothing overlaps, so the loop vectorises. SAFETY: `step_on_host`
            // lends the elements of this part to this call alone, and `f32`s need no more alignment
            // than an array of them.
            let (old_p, old_s) = unsafe { (p.read(), s.map(|s| s.read())) };
            let (mut new_p, mut new_s) = ([0.0; BLOCK], [[0.0; BLOCK]; S]);
            for e in 0..BLOCK {
                let state = std::array::from_fn(|k| old_s[k][e]);
                let (p, state) = update.element(old_p[e], scale * g[e], state);
                new_p[e] = p;
                for k in 0..S {
                    new_s[k][e] = state[k];
                }
            }
            // SAFETY: the same blocks, which nobody else uses.
            unsafe {
                p.write(new_p);
                for (s, new) in s.into_iter().zip(new_s) {
                    s.write(new);
                }
            }
        }
        let whole = blocks.len() * BLOCK;
        for (i, g) in rest.iter().enumerate() {
            // SAFETY: `whole + i` is below the length of the part, which `at` checked to be inside
            // parameters and state, and `step_on_host` lends to this call alone.
            unsafe {
                let (p, s) = (params.add(whole + i), state.map(|s| s.add(whole + i)));
                let (new, new_s) = update.element(*p, scale * *g, s.map(|s| *s));
                *p = new;
                for (s, new) in s.into_iter().zip(new_s) {
                    *s = new;
                }
            }
        }
    }
}
