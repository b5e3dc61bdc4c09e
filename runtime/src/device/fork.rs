//! Whether this process is a copy of another, made by `fork`: of the threads it has the one alone
//! that called it.
//!
//! The system tells by a function that it calls in the new process, so that to ask costs no call of
//! the system. What copies processes without the C library's `fork` is not seen.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many times this process, and those that it is a copy of, were copied since `watch`.
static COPIES: AtomicUsize = AtomicUsize::new(0);

/// The number of copies up to this process: another one in a process that was copied since.
#[inline]
pub fn copies() -> usize {
    COPIES.load(Ordering::Relaxed)
}

/// Sees to it that copies are counted.
#[cfg(all(unix, not(miri)))]
pub fn watch() {
    use std::ffi::c_int;
    use std::sync::Once;

    type Handler = Option<unsafe extern "C" fn()>;

    unsafe extern "C" {
        // POSIX.1-2001: calls `child` in the new process before `fork` returns there.
        fn pthread_atfork(prepare: Handler, parent: Handler, child: Handler) -> c_int;
    }

    unsafe extern "C" fn count() {
        COPIES.fetch_add(1, Ordering::Relaxed);
    }

    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: `count` is there as long as the process is, and does what a handler of signals
        // may: it adds to an atomic number.
        let failed = unsafe { pthread_atfork(None, None, Some(count)) };
        // It fails where memory does not suffice; then copies are not told apart.
        let _ = failed;
    });
}

/// Where there is no `fork`, nothing is to be counted.
#[cfg(not(all(unix, not(miri))))]
pub fn watch() {}

#[cfg(all(test, unix, not(miri)))]
mod tests {
    use std::ffi::c_int;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use crate::device::Threads;

    unsafe extern "C" {
        fn fork() -> c_int;
        fn waitpid(process: c_int, status: *mut c_int, options: c_int) -> c_int;
        fn alarm(seconds: u32) -> u32;
        fn _exit(status: c_int) -> !;
    }

    /// Runs `f` in a copy of this process; whether it returned there.
    fn returns_in_a_copy(f: impl FnOnce()) -> bool {
        // SAFETY: the copy runs `f`, which allocates at most, as the C library allows there, and
        // ends without a word to anybody.
        match unsafe { fork() } {
            0 => {
                // SAFETY: a copy that waits for ever is ended.
                unsafe { alarm(20) };
                let failed = catch_unwind(AssertUnwindSafe(f)).is_err();
                // SAFETY: nothing of this process is cleaned up, which is the other one's as well.
                unsafe { _exit(failed.into()) }
            }
            process => {
                assert!(process > 0, "no process could be made");
                let mut status = -1;
                // SAFETY: `status` is there to be written.
                let ended = unsafe { waitpid(process, &raw mut status, 0) };
                assert_eq!(ended, process);
                status == 0
            }
        }
    }

    fn sums(threads: &Threads) {
        let sum = AtomicUsize::new(0);
        threads.run(100, &|i| {
            sum.fetch_add(i, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), 4950);
    }

    #[test]
    fn a_copy_of_the_process_works_alone() {
        for team in [1, 2, 5] {
            let threads = Threads::new(team);
            sums(&threads);
            let others = threads.clone();
            assert!(returns_in_a_copy(move || {
                (0..50).for_each(|_| sums(&others));
                drop(others);
                // A team that the copy makes has threads of its own.
                let own = Threads::new(team);
                assert_eq!(own.count(), team);
                sums(&own);
                drop(own);
            }));
            // The last owner of a team is in the copy.
            let last = std::sync::Mutex::new(Some(Threads::new(team)));
            assert!(returns_in_a_copy(|| drop(last.lock().unwrap().take())));
            sums(&threads);
        }
    }

    /// In the middle of a run of another thread, with workers inside and locks that are held.
    #[test]
    fn a_copy_that_is_made_during_a_run_works_alone() {
        let threads = Threads::new(3);
        let (stop, runs) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while stop.load(Ordering::Relaxed) == 0 {
                    threads.run(20, &|_| std::hint::spin_loop());
                    runs.fetch_add(1, Ordering::Relaxed);
                }
            });
            while runs.load(Ordering::Relaxed) == 0 {
                std::thread::yield_now();
            }
            let all = (0..20).all(|_| returns_in_a_copy(|| sums(&threads)));
            stop.store(1, Ordering::Relaxed);
            assert!(all);
        });
    }
}
