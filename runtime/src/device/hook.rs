//! What looks on while a step runs on the CPU: nothing, a profile, or observers.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::{Buf, CpuKernels};
use crate::arena::Sizes;
use crate::observe::{Checks, Observer, TraceFile, Watch};
use crate::profile::{self, PassOps, Profile, Track};

/// All who look on at the runs of a device.
#[derive(Clone, Default)]
pub(super) struct Onlookers {
    pub profile: Option<Profile>,
    pub observers: Vec<Arc<dyn Observer>>,
    /// Where a run is written that an observer ends.
    pub trace: Option<TraceFile>,
}

impl Onlookers {
    /// What `GRADIRON_PROFILE` and `GRADIRON_TRACE` ask for.
    pub fn from_environment() -> Option<Box<Self>> {
        let profile = profile::from_environment();
        let file = TraceFile::from_environment();
        (profile.is_some() || file.is_some()).then(|| {
            let mut onlookers = Self { profile, ..Self::default() };
            file.into_iter().for_each(|file| onlookers.trace_to(file));
            Box::new(onlookers)
        })
    }

    /// Checks, and the first run that fails one in a file.
    pub fn trace_to(&mut self, file: TraceFile) {
        self.observers.push(Arc::new(Checks));
        self.trace = Some(file);
    }
}

impl fmt::Debug for Onlookers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { profile, observers, trace } = self;
        write!(f, "{profile:?}, {} observers, {trace:?}", observers.len())
    }
}

/// Who is told of the operations of a step.
pub(super) enum Hook<'a> {
    None,
    /// Where the step is recorded.
    Profile(&'a mut Track),
    /// What shows it to observers.
    Watch(&'a RefCell<Watch>),
}

impl<'a> CpuKernels<'a> {
    #[inline(always)]
    pub(super) fn hook_enter(&mut self, ops: &'static PassOps, n: Sizes) {
        match &mut self.hook {
            Hook::None => {}
            Hook::Profile(track) => track.enter(ops, n, Instant::now),
            Hook::Watch(watch) => watch.borrow_mut().enter(ops, n),
        }
    }

    #[inline(always)]
    pub(super) fn hook_op(&mut self, number: usize) {
        match &mut self.hook {
            Hook::None => {}
            Hook::Profile(track) => track.op(number, Instant::now),
            Hook::Watch(watch) => {
                let watch = *watch;
                self.end_op(watch);
                watch.borrow_mut().op(number);
            }
        }
    }

    #[inline(always)]
    pub(super) fn hook_item(&mut self, number: usize) {
        match &mut self.hook {
            Hook::None => {}
            Hook::Profile(track) => track.item(number),
            Hook::Watch(watch) => watch.borrow_mut().item(number),
        }
    }

    #[inline(always)]
    pub(super) fn hook_leave(&mut self) {
        match &mut self.hook {
            Hook::None => {}
            Hook::Profile(track) => track.leave(Instant::now()),
            Hook::Watch(watch) => {
                let watch = *watch;
                self.end_op(watch);
                watch.borrow_mut().leave();
            }
        }
    }

    /// Whether observers are to be told ([`note`](Self::note)).
    #[inline(always)]
    pub(crate) fn is_observed(&self) -> bool {
        matches!(self.hook, Hook::Watch(_))
    }

    /// Tells observers what a kernel is about to read and to write. Kernels that go through
    /// [`views`](Self::views) need not.
    #[cold]
    #[inline(never)]
    pub(crate) fn note(&self, reads: &[Buf], writes: &[Buf]) {
        if let Hook::Watch(watch) = &self.hook {
            watch.borrow_mut().note(reads, writes, |buf| self.seen(buf));
        }
    }

    #[cold]
    #[inline(never)]
    fn end_op(&self, watch: &RefCell<Watch>) {
        watch.borrow_mut().end_op(|buf| self.seen(buf));
    }

    /// The numbers of a range, between two kernels.
    fn seen(&self, buf: Buf) -> &[f32] {
        // SAFETY: `read` checked the bounds, memory of a step is initialised as a whole, and
        // kernels write only while they borrow the step exclusively, which is borrowed here.
        unsafe { std::slice::from_raw_parts(self.read(buf), buf.len) }
    }
}
