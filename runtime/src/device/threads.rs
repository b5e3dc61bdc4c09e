//! A small persistent team of threads.
//!
//! A training step must allocate nothing. A run entered from outside a rayon pool allocates a
//! block of its injector every 63 pushes, and scoped threads are started anew each time, so the
//! team is our own: a run is one pointer that the workers pick up.

use std::any::Any;
use std::cell::UnsafeCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::flush::Flush;
use super::fork;
use super::shared_mut::SharedMut;

/// Work below this many estimated operations (a fused multiply-add or a float moved counts as
/// one; a transcendental function as eight) stays on the calling thread. Measured on two cores of a
/// Zen 5 server: a run in which both threads take part costs 0.6 µs when the team spins and 3 µs,
/// sometimes 60, when it is parked; copying 2^15 floats takes 1.5 µs.
///
/// An interpreter of Rust, which runs small sizes alone, takes the team for all of them.
pub const PARALLEL_WORK: usize = if cfg!(miri) { 1 } else { 1 << 15 };

/// How often a worker looks for work before it parks: 50 µs where a pause takes 25 ns.
const SPINS: u32 = if cfg!(miri) { 8 } else { 2000 };

/// How often it looks again while a step is under way, with other programs let in between: some
/// milliseconds.
const STEP_SPINS: u32 = if cfg!(miri) { 8 } else { 10_000 };

/// The most threads of a team, the calling one included: more than processors have, and few enough
/// that the system has room for them and starts them in less than a second.
pub const MOST_THREADS: usize = 1024;

/// A team of threads, the calling one included. Clones share the team, which ends with the last.
#[derive(Clone)]
pub struct Threads {
    team: Arc<Team>,
    /// Whether runs of this clone flush numbers below the normal ones to zero.
    flush: bool,
}

struct Team {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Which copy of the process has the workers ([`fork`]).
    copy: usize,
}

struct Job {
    f: *const (dyn Fn(usize) + Sync),
    chunks: usize,
    flush: bool,
}

/// The gate: bit 0 says that a run is open, bits 1..16 count the workers inside, the others hold
/// the number of the run.
struct Shared {
    gate: AtomicUsize,
    job: UnsafeCell<Option<Job>>,
    next: AtomicUsize,
    /// A run is under way.
    busy: AtomicBool,
    /// A step is under way, so more runs will follow soon.
    step: AtomicBool,
    asleep: AtomicUsize,
    /// The number of workers that are past what the system does to start a thread.
    started: AtomicUsize,
    shutdown: AtomicBool,
    sleep: Mutex<()>,
    wake: Condvar,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

const OPEN: usize = 1;
const INSIDE: usize = 2;
const INSIDE_MASK: usize = 0xfffe;
const RUN: usize = 1 << 16;

// SAFETY: `job` is written only by the thread that holds `busy` while the gate is closed and
// nobody is inside, and read only by threads inside, so accesses never overlap; entering the gate
// acquires what opening it released. The pointer in it is to a `Sync` closure.
unsafe impl Sync for Shared {}
// SAFETY: the pointer in `job` alone keeps it from being `Send` by itself, and that is to a closure
// which is `Sync`, so it may be called on any thread. Nothing in it belongs to one thread.
unsafe impl Send for Shared {}

impl Shared {
    /// Runs chunks until none is left; a panic is kept for the caller.
    fn work(&self, f: &(dyn Fn(usize) + Sync), chunks: usize) {
        loop {
            let chunk = self.next.fetch_add(1, Ordering::Relaxed);
            if chunk >= chunks {
                return;
            }
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| f(chunk))) {
                self.keep(payload);
            }
        }
    }

    /// Keeps the first panic of a run. Never unwinds, whatever a payload does when it is dropped:
    /// the closure of the run would end while workers hold it.
    #[cold]
    fn keep(&self, payload: Box<dyn Any + Send>) {
        let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
        if first.is_none() {
            *first = Some(payload);
            return;
        }
        drop(first);
        if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            // It would go on like this, so it is never dropped.
            std::mem::forget(another);
        }
    }

    fn worker(&self) {
        self.started.fetch_add(1, Ordering::Release);
        let mut served = usize::MAX;
        while let Some(run) = self.enter(served) {
            served = run;
            // SAFETY: this thread is inside the gate, so `job` is set and nobody writes it, and
            // `run` does not return, which keeps the closure alive, before this thread is out.
            let (f, chunks, flush) = unsafe {
                let job = (*self.job.get()).as_ref().expect("a run is open");
                (&*job.f, job.chunks, job.flush)
            };
            let flush = Flush::on_if(flush);
            self.work(f, chunks);
            drop(flush);
            self.gate.fetch_sub(INSIDE, Ordering::Release);
        }
    }

    /// Waits for a run other than `served` and enters it; nothing at shutdown.
    fn enter(&self, served: usize) -> Option<usize> {
        let mut spins = 0;
        loop {
            if self.shutdown.load(Ordering::Relaxed) {
                return None;
            }
            let gate = self.gate.load(Ordering::Relaxed);
            if gate & OPEN != 0 && gate / RUN != served {
                let entered = self.gate.compare_exchange_weak(
                    gate,
                    gate + INSIDE,
                    Ordering::Acquire,
                    Ordering::Relaxed,
                );
                if entered.is_ok() {
                    return Some(gate / RUN);
                }
            } else if spins < SPINS {
                spins += 1;
                std::hint::spin_loop();
            } else if spins < SPINS + STEP_SPINS && self.step.load(Ordering::Relaxed) {
                spins += 1;
                std::thread::yield_now();
            } else {
                self.park(served);
                spins = 0;
            }
        }
    }

    /// Sleeps until a run opens. A caller opens the gate and then reads `asleep`; a worker counts
    /// itself asleep and then reads the gate; so one of them sees the other.
    fn park(&self, served: usize) {
        let mut guard = self.sleep.lock().unwrap_or_else(PoisonError::into_inner);
        self.asleep.fetch_add(1, Ordering::SeqCst);
        loop {
            let gate = self.gate.load(Ordering::SeqCst);
            let open = gate & OPEN != 0 && gate / RUN != served;
            if open || self.shutdown.load(Ordering::SeqCst) {
                break;
            }
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.fetch_sub(1, Ordering::SeqCst);
    }

    fn wake_all(&self) {
        let _guard = self.sleep.lock().unwrap_or_else(PoisonError::into_inner);
        self.wake.notify_all();
    }
}

impl Threads {
    /// A team of `count` threads, the calling one included (0 counts as 1), of [`MOST_THREADS`] at
    /// most, and of fewer where the system starts no more. In a process that `fork` has copied,
    /// where the others are not, the calling thread works alone.
    pub fn new(count: usize) -> Self {
        let shared = Arc::new(Shared {
            gate: AtomicUsize::new(0),
            job: UnsafeCell::new(None),
            next: AtomicUsize::new(0),
            busy: AtomicBool::new(false),
            step: AtomicBool::new(false),
            asleep: AtomicUsize::new(0),
            started: AtomicUsize::new(0),
            shutdown: AtomicBool::new(false),
            sleep: Mutex::new(()),
            wake: Condvar::new(),
            panic: Mutex::new(None),
        });
        fork::watch();
        let copy = fork::copies();
        let workers: Vec<_> = (1..count.min(MOST_THREADS))
            .map_while(|i| {
                let shared = Arc::clone(&shared);
                let thread = std::thread::Builder::new().name(format!("gradiron-{i}"));
                // A team that the system does not let grow is a smaller team.
                thread.spawn(move || shared.worker()).ok()
            })
            .collect();
        // A thread allocates while it starts; nothing does later.
        while shared.started.load(Ordering::Acquire) < workers.len() {
            std::thread::yield_now();
        }
        Self { team: Arc::new(Team { shared, workers, copy }), flush: false }
    }

    /// The same team, whose workers flush numbers below the normal ones to zero in runs of this
    /// clone.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    pub(crate) fn with_flush(self, flush: bool) -> Self {
        Self { flush, ..self }
    }

    /// Whether such numbers are flushed.
    #[inline]
    pub(crate) fn flushes(&self) -> bool {
        self.flush
    }

    /// Such numbers of the calling thread too, while the value lives.
    #[inline]
    pub(crate) fn flush(&self) -> Option<Flush> {
        Flush::on_if(self.flush)
    }

    /// The number of threads, the calling one included.
    pub fn count(&self) -> usize {
        self.team.workers.len() + 1
    }

    /// Calls `f(0)`, …, `f(chunks - 1)`, each once, spread over the team in any order. Allocates
    /// nothing. Inside another run of this team everything stays on the calling thread.
    ///
    /// # Panics
    /// When a call panics: with its payload, after all calls have ended.
    pub fn run(&self, chunks: usize, f: &(dyn Fn(usize) + Sync)) {
        let shared = &*self.team.shared;
        let has_workers = !self.team.workers.is_empty() && self.team.is_here();
        let alone = chunks <= 1 || !has_workers;
        if alone || shared.busy.swap(true, Ordering::Acquire) {
            (0..chunks).for_each(f);
            return;
        }
        // SAFETY: only the lifetime changes. Workers use the pointer only inside the gate, and
        // this function returns only after the gate was closed and the last worker has left it;
        // nothing in between unwinds, since `work` catches the panics of `f`, and `keep` those of
        // what `f` panics with.
        let f_static: *const (dyn Fn(usize) + Sync) = unsafe {
            std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), *const (dyn Fn(usize) + Sync)>(
                f,
            )
        };
        // SAFETY: this thread holds `busy`, the gate is closed and nobody is inside.
        unsafe { *shared.job.get() = Some(Job { f: f_static, chunks, flush: self.flush }) };
        shared.next.store(0, Ordering::Relaxed);
        let run = (shared.gate.load(Ordering::Relaxed) / RUN).wrapping_add(1);
        shared.gate.store(run.wrapping_mul(RUN) | OPEN, Ordering::SeqCst);
        if shared.asleep.load(Ordering::SeqCst) > 0 {
            shared.wake_all();
        }
        shared.work(f, chunks);
        shared.gate.fetch_and(!OPEN, Ordering::Relaxed);
        let mut spins = 0_u32;
        while shared.gate.load(Ordering::Acquire) & INSIDE_MASK != 0 {
            spins += 1;
            if spins < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        let panic = shared.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        shared.busy.store(false, Ordering::Release);
        if let Some(payload) = panic {
            resume_unwind(payload);
        }
    }

    /// Says that a step begins or ends. Within a step the workers that took part in a run stay
    /// awake for the next one; a step without runs wakes nobody. Only a hint: callers that share a
    /// team may overwrite it.
    #[inline]
    pub(crate) fn in_step(&self, step: bool) {
        self.team.shared.step.store(step, Ordering::Relaxed);
    }

    /// [`run`](Self::run) where `work`, the estimated operations of all chunks, is worth it
    /// ([`PARALLEL_WORK`]); otherwise on the calling thread.
    #[inline]
    pub fn run_if(&self, work: usize, chunks: usize, f: &(dyn Fn(usize) + Sync)) {
        if work < PARALLEL_WORK { (0..chunks).for_each(f) } else { self.run(chunks, f) }
    }

    /// Calls `f(i, part)` for the parts of `len` elements of `y` (the last may be shorter).
    pub fn split<T: Send>(
        &self,
        work: usize,
        y: &mut [T],
        len: usize,
        f: impl Fn(usize, &mut [T]) + Sync,
    ) {
        self.split2(work, (y, len), (&mut [], 0), |i, y, _: &mut [()]| f(i, y));
    }

    /// Calls `f(i, part of a, part of b)` for the parts of the given lengths. `a` decides how many
    /// there are; parts of `b` beyond its end are shorter or empty.
    pub fn split2<T: Send, U: Send>(
        &self,
        work: usize,
        (a, a_len): (&mut [T], usize),
        (b, b_len): (&mut [U], usize),
        f: impl Fn(usize, &mut [T], &mut [U]) + Sync,
    ) {
        if a.is_empty() {
            return;
        }
        let chunks = a.len().div_ceil(a_len);
        let (a, b) = (SharedMut::new(a), SharedMut::new(b));
        self.run_if(work, chunks, &|i| {
            // SAFETY: each `i` comes once, so each part is lent once, and parts are disjoint.
            let (a, b) = unsafe { (a.part(i, a_len), b.part(i, b_len)) };
            f(i, a, b);
        });
    }
}

impl Team {
    /// Whether the workers are threads of this process, and not of the one that it was copied from.
    #[inline]
    fn is_here(&self) -> bool {
        self.copy == fork::copies()
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        if !self.is_here() {
            // There is nobody to wake and to wait for, and locks may be held by who is not there.
            std::mem::forget(std::mem::take(&mut self.workers));
            return;
        }
        self.shared.shutdown.store(true, Ordering::SeqCst);
        self.shared.wake_all();
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Threads({})", self.count())
    }
}

#[cfg(test)]
mod tests;
