//! After `warm_up`, on one thread, no call allocates or enters the system: not the first one
//! either.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use gradiron::prelude::*;

/// Counts what is allocated and freed.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator with its arguments, so its promises are
// the caller's and its results the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the caller's promise, passed on: all memory is the system's.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

// Small: one piece of code.
model! {
    struct Policy {
        fc1: Linear(4 -> 16),
        fc2: Linear(16 -> 2),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 2] {
        self.fc2(self.fc1(x).tanh())
    }

    fn loss(&self, x: [batch, 4], y: [batch, 2]) -> [] {
        mse_loss(self.forward(x), y)
    }
}

// Products and convolutions of all kinds, and prepared weights.
model! {
    #[allow(bias_before_batch_norm)]
    struct Vision {
        conv1: Conv2d(3 -> 16, kernel = 5, padding = 2),
        bn: BatchNorm2d(16),
        conv2: Conv2d(16 -> 32, kernel = 3, padding = 1),
        fc1: Linear(2048 -> 700),
        fc2: Linear(700 -> 10),
    }

    fn forward(&self, x: [batch, 3, 16, 16]) -> [batch, 10] {
        let x = self.bn(self.conv1(x)).relu().max_pool2d(2);
        let x = self.conv2(x).relu().flatten();
        self.fc2(dropout(self.fc1(x).gelu(), 0.1))
    }

    fn loss(&self, x: [batch, 3, 16, 16], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(x), label)
    }
}

const POSITIONS: usize = 20;

// A sequence, a position at a time.
model! {
    struct Voice {
        embed: Embedding(50, 32),
        attn: MultiheadAttention(32, num_heads = 2),
        lstm: LSTM(32 -> 24),
        head: Linear(24 -> 50),
    }

    #[step(POSITIONS)]
    fn forward(&self, word: Classes[batch, POSITIONS]) -> [batch, POSITIONS, 50] {
        let x = self.embed(word);
        let x = x + self.attn(x, x, x, is_causal = true);
        let (x, _, _) = self.lstm(x);
        self.head(x)
    }
}

/// What allocates and enters the system while `run` runs.
fn watched(run: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.load(Ordering::SeqCst);
    system::mark();
    run();
    system::mark();
    ALLOCATIONS.load(Ordering::SeqCst) - before
}

fn policy() -> Result<usize, Box<dyn std::error::Error>> {
    let mut net = Policy::init(Seed(0));
    let mut ws = Policy::workspace_on(Cpu::with_threads(1), 3)?;
    let mut adam = Adam::new(&net, 1e-3)?.clip_norm(1.0)?;
    ws.warm_up(&net)?;
    let (x, y) = ([[0.5; 4]; 3], [[0.1; 2]; 3]);
    let mut outcome = Ok(());
    let mut steps = || -> Result<(), gradiron::InputError> {
        for batch in [1, 3, 2, 3] {
            net.forward(&mut ws, &x[..batch])?;
            net.loss_grad(&mut ws, &x[..batch], &y[..batch])?;
            adam.step(&mut net, ws.grads());
        }
        Ok(())
    };
    let found = watched(|| outcome = steps());
    outcome?;
    Ok(found)
}

fn vision() -> Result<usize, Box<dyn std::error::Error>> {
    let mut net = Vision::init(Seed(0));
    let mut ws = Vision::workspace_on(Cpu::with_threads(1), 8)?;
    let mut sgd = Sgd::new(&net, 1e-3)?.momentum(0.9)?;
    ws.warm_up(&net)?;
    let x = vec![[[[0.5_f32; 16]; 16]; 3]; 8];
    let label = [0_u8, 1, 2, 3, 4, 5, 6, 7];
    let mut outcome = Ok(());
    let mut steps = || -> Result<(), gradiron::InputError> {
        for batch in [1, 8, 2] {
            net.forward(&mut ws, &x[..batch])?;
            net.loss_grad(&mut ws, &x[..batch], &label[..batch])?;
            sgd.step(&mut net, ws.grads());
        }
        Ok(())
    };
    let found = watched(|| outcome = steps());
    outcome?;
    Ok(found)
}

fn voice() -> Result<usize, Box<dyn std::error::Error>> {
    let net = Voice::init(Seed(0));
    let mut ws = Voice::infer_workspace_on(Cpu::with_threads(1), 1)?;
    let mut cache = Voice::forward_cache(&ws, 1)?;
    ws.warm_up(&net)?;
    let mut outcome = Ok(());
    let mut steps = || -> Result<(), gradiron::InputError> {
        for word in 0..POSITIONS as u8 {
            net.forward_step(&mut ws, &mut cache, &[word])?;
        }
        Ok(())
    };
    let found = watched(|| outcome = steps());
    outcome?;
    Ok(found)
}

/// System calls of a child, counted by its parent.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod system {
    use std::io::Error;

    /// Tells the parent where calls that it counts begin and end.
    pub fn mark() {
        // SAFETY: this call takes no arguments and only returns a number.
        unsafe { libc::syscall(libc::SYS_getppid) };
    }

    /// The system calls that `run` makes between its two marks in a process of its own, after which
    /// it gives the exit status.
    pub fn calls(run: impl FnOnce() -> i32) -> Result<Vec<u64>, Error> {
        // SAFETY: the harness of this test starts no thread, so the child may do anything.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: these calls take no memory of ours; the child ends without its parent's
            // destructors.
            unsafe {
                libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
                libc::raise(libc::SIGSTOP);
                libc::_exit(run());
            }
        }
        let mut calls = Vec::new();
        let (mut marks, mut entering) = (0, true);
        wait(child)?;
        let mut go = libc::PTRACE_SETOPTIONS;
        // SAFETY: the child is stopped and ours to trace; this request takes a number.
        let mut sent = unsafe { libc::ptrace(go, child, 0, libc::PTRACE_O_TRACESYSGOOD) };
        loop {
            if sent == -1 {
                return Err(Error::last_os_error());
            }
            go = libc::PTRACE_SYSCALL;
            // SAFETY: the child is stopped and ours to trace; this request takes no memory.
            sent = unsafe { libc::ptrace(go, child, 0, 0) };
            let status = wait(child)?;
            if libc::WIFEXITED(status) {
                assert_eq!((marks, libc::WEXITSTATUS(status)), (2, 0), "the child failed");
                return Ok(calls);
            }
            assert!(libc::WIFSTOPPED(status), "the child ended with {status:#x}");
            if libc::WSTOPSIG(status) != libc::SIGTRAP | 0x80 {
                continue;
            }
            if std::mem::take(&mut entering) {
                let number = number(child)?;
                match number == libc::SYS_getppid as u64 {
                    true => marks += 1,
                    false if marks == 1 => calls.push(number),
                    false => {}
                }
            } else {
                entering = true;
            }
        }
    }

    fn wait(child: libc::pid_t) -> Result<i32, Error> {
        let mut status = 0;
        // SAFETY: `status` outlives the call.
        match unsafe { libc::waitpid(child, &mut status, 0) } {
            -1 => Err(Error::last_os_error()),
            _ => Ok(status),
        }
    }

    /// The system call that a stopped child enters.
    fn number(child: libc::pid_t) -> Result<u64, Error> {
        // SAFETY: numbers, for which zeros are values.
        let mut info: libc::ptrace_syscall_info = unsafe { std::mem::zeroed() };
        let size = size_of::<libc::ptrace_syscall_info>();
        // SAFETY: the child is stopped, and `info` has the size that is told.
        let read =
            unsafe { libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, child, size, &raw mut info) };
        if read <= 0 {
            return Err(Error::last_os_error());
        }
        // SAFETY: at the entry of a call this is the part that is set.
        Ok(unsafe { info.u.entry.nr })
    }
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod system {
    pub fn mark() {}
}

/// No `#[test]`: the harness has threads of its own.
fn main() {
    let found = watched(|| drop(std::hint::black_box(Box::new(1))));
    assert_eq!(found, 2, "allocations count");
    let all: [(&str, fn() -> _); 3] = [("policy", policy), ("vision", vision), ("voice", voice)];
    for (name, run) in all {
        assert_eq!(run().expect(name), 0, "allocations of {name}");
    }
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        let pause = || {
            watched(|| std::thread::sleep(std::time::Duration::from_micros(1)));
            0
        };
        match system::calls(pause) {
            Ok(calls) => assert!(!calls.is_empty(), "system calls count"),
            // As where another program traces this one.
            Err(error) => {
                return println!(
                    "real_time: SKIPPED system calls, which cannot be counted: {error}"
                );
            }
        }
        for (name, run) in all {
            let calls = system::calls(|| i32::from(run().is_err())).expect("as before");
            assert!(calls.is_empty(), "{name} enters the system: {calls:?}");
        }
        return println!("real_time: no allocation, no system call");
    }
    #[allow(unreachable_code)]
    {
        println!(
            "real_time: no allocation; SKIPPED system calls, which are counted on Linux alone"
        );
    }
}
