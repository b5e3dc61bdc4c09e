//! What looks on while a step runs on the CPU: nothing, a profile, or observers.

use std::cell::RefCell;
use std::time::Instant;

use super::{Buf, CpuKernels};
use crate::arena::Sizes;
use crate::debug::Watch;
use crate::profile::{PassOps, Track};

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

    /// Tells observers what a kernel is about to read and to write. Kernels that go through
    /// [`views`](Self::views) need not.
    #[inline(always)]
    pub(crate) fn note(&self, reads: &[Buf], writes: &[Buf]) {
        if let Hook::Watch(watch) = &self.hook {
            self.noted(watch, reads, writes);
        }
    }

    #[cold]
    #[inline(never)]
    fn noted(&self, watch: &RefCell<Watch>, reads: &[Buf], writes: &[Buf]) {
        watch.borrow_mut().note(reads, writes, |buf| self.seen(buf));
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
