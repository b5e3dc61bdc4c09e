use super::*;

const ROUNDS: usize = if cfg!(miri) { 20 } else { 20_000 };

fn counts(threads: &Threads, chunks: usize) {
    let seen: Vec<AtomicUsize> = (0..chunks).map(|_| AtomicUsize::new(0)).collect();
    threads.run(chunks, &|i| {
        seen[i].fetch_add(1, Ordering::Relaxed);
    });
    assert!(seen.iter().all(|n| n.load(Ordering::Relaxed) == 1));
}

#[test]
fn every_chunk_runs_once() {
    for count in [0, 1, 2, 3, 7] {
        let threads = Threads::new(count);
        assert_eq!(threads.count(), count.max(1));
        for round in 0..ROUNDS / 10 {
            counts(&threads, round % 13);
        }
    }
}

#[test]
fn workers_that_parked_wake_up() {
    let threads = Threads::new(2);
    for _ in 0..4 {
        std::thread::sleep(std::time::Duration::from_millis(5));
        let meet = std::sync::Barrier::new(2);
        threads.run(2, &|_| {
            meet.wait();
        });
    }
}

#[test]
fn a_long_step_may_use_the_team_at_any_time() {
    let threads = Threads::new(2);
    threads.in_step(true);
    for round in 0..8 {
        counts(&threads, 5);
        std::thread::sleep(std::time::Duration::from_millis(round));
    }
    threads.in_step(false);
}

#[test]
fn nested_runs_stay_on_their_thread() {
    let threads = Threads::new(3);
    threads.run(8, &|_| {
        let here = std::thread::current().id();
        threads.run(4, &|_| assert_eq!(std::thread::current().id(), here));
    });
}

#[test]
fn two_callers_share_a_team() {
    let threads = Threads::new(2);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..ROUNDS / 4).for_each(|i| counts(&threads.clone(), i % 5)));
        }
    });
}

#[test]
fn a_panic_reaches_the_caller_after_all_chunks() {
    let threads = Threads::new(2);
    for bad in 0..6 {
        let done = AtomicUsize::new(0);
        let result = catch_unwind(AssertUnwindSafe(|| {
            threads.run(6, &|i| {
                if i == bad {
                    resume_unwind(Box::new("bad chunk"));
                }
                done.fetch_add(1, Ordering::Relaxed);
            });
        }));
        assert_eq!(*result.unwrap_err().downcast::<&str>().unwrap(), "bad chunk");
        assert_eq!(done.load(Ordering::Relaxed), 5);
        counts(&threads, 5);
    }
}

/// Panics as it is dropped, with another one that does, to the given depth.
struct Bomb(usize);

static DROPS: AtomicUsize = AtomicUsize::new(0);

impl Drop for Bomb {
    fn drop(&mut self) {
        DROPS.fetch_add(1, Ordering::Relaxed);
        if self.0 > 0 {
            resume_unwind(Box::new(Bomb(self.0 - 1)));
        }
    }
}

#[test]
fn a_payload_that_panics_as_it_is_dropped_ends_no_run() {
    let threads = Threads::new(3);
    for depth in 1..4 {
        let done = AtomicUsize::new(0);
        // What the workers read is on this stack frame, which a run that unwinds would end.
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mine: [AtomicUsize; 12] = std::array::from_fn(AtomicUsize::new);
            threads.run(12, &|i| {
                done.fetch_add(mine[i].load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                resume_unwind(Box::new(Bomb(depth)));
            });
        }));
        let payload = result.unwrap_err().downcast::<Bomb>().unwrap();
        assert_eq!(done.load(Ordering::Relaxed), (0..12).map(|i| i + 1).sum::<usize>());
        std::mem::forget(payload);
        // Each of the others is dropped once, and what it panics with not at all.
        assert_eq!(DROPS.swap(0, Ordering::Relaxed), 11);
        counts(&threads, 5);
    }
}

#[test]
fn parts_cover_the_slice() {
    let threads = Threads::new(2);
    for (n, len) in [(0, 3), (1, 3), (10, 3), (9, 3)] {
        let (mut a, mut b) = (vec![0; n], vec![0; 5]);
        threads.split2(usize::MAX, (&mut a, len), (&mut b, 2), |i, a, b| {
            a.fill(i + 1);
            b.fill(i + 1);
        });
        assert!(a.iter().enumerate().all(|(i, v)| *v == i / len + 1));
    }
}
