//! The memory of calls, and the kernels that they run on.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use gradiron::Seed;
use gradiron::device::Storage;
use gradiron::device::{
    Buf, Cpu, CpuKernels, Device, Indices, Kernels, Random, Region, Run, RunKey, RunMemory,
};
use gradiron::math::{SimdLevel, simd_levels};
use gradiron::profile::Phase;

/// Floats between ranges: a write beside a range is seen.
const GAP: usize = 17;

/// Small whole numbers: classes, places and lengths of anything that has more than two.
pub const INDICES: [u32; 24] =
    [2, 0, 1, 2, 2, 1, 0, 0, 1, 2, 0, 2, 1, 1, 0, 2, 0, 1, 2, 0, 0, 2, 1, 1];

/// Hands out ranges of the arena, one behind the other, and of an input of small numbers.
pub struct Memory {
    end: usize,
    floats: usize,
    input: usize,
    results: Vec<Buf>,
    /// Ranges that hold anything when the calls are done.
    scratch: Vec<Buf>,
}

impl Memory {
    pub fn new(floats: usize) -> Self {
        Self { end: GAP, floats, input: 0, results: Vec::new(), scratch: Vec::new() }
    }

    fn place(&mut self, len: usize) -> Buf {
        let buf = Buf::new(Region::Arena, self.end, len);
        // Odd places, so that nothing is aligned by chance.
        self.end = (self.end + len + GAP) | 1;
        assert!(self.end <= self.floats, "the arena of this room is too small: {}", self.end);
        buf
    }

    /// A range whose floats are results: numbers when all calls are done.
    pub fn result(&mut self, len: usize) -> Buf {
        let buf = self.place(len);
        self.results.push(buf);
        buf
    }

    /// A range for anything else.
    pub fn scratch(&mut self, len: usize) -> Buf {
        let buf = self.place(len);
        self.scratch.push(buf);
        buf
    }

    /// What was handed out of the arena.
    pub fn ranges(&self) -> impl Iterator<Item = Buf> {
        self.results.iter().chain(&self.scratch).copied()
    }

    /// The bits of all results, when nothing was written beside the ranges.
    fn results(&self, name: &str, arena: &[f32], are_numbers: bool) -> Vec<u32> {
        check_gaps(name, arena, self.ranges());
        let of = |buf: &Buf| arena[buf.start..][..buf.len].iter();
        assert!(!self.results.is_empty(), "{name}: no results");
        if are_numbers {
            let bad = self.results.iter().position(|buf| of(buf).any(|x| x.is_nan()));
            assert_eq!(bad, None, "{name}: this result is not a number");
        }
        // The bits of what is no number are open in Rust, and Miri draws them.
        let one = |x: &f32| if cfg!(miri) && x.is_nan() { f32::NAN } else { *x };
        self.results.iter().flat_map(of).map(|x| one(x).to_bits()).collect()
    }

    /// Floats to read, between -1 and 1.
    pub fn x(&mut self, len: usize) -> Buf {
        let start = self.input;
        self.input += 7;
        Buf::new(Region::Input(0), start, len)
    }
}

/// Calls of kernels of any kind: a type, since closures are not generic.
pub trait Room {
    /// The floats of the arena.
    const FLOATS: usize;
    fn call<K: Kernels>(k: &mut K, memory: &mut Memory);
}

/// `room!(Name, floats of its arena, |k, m| { calls })`
macro_rules! room {
    ($name:ident, $floats:expr, |$k:ident, $m:ident| $body:block) => {
        struct $name;
        impl $crate::memory::Room for $name {
            const FLOATS: usize = $floats;
            fn call<K: gradiron::device::Kernels>($k: &mut K, $m: &mut $crate::memory::Memory) $body
        }
    };
}
pub(crate) use room;

/// The numbers of the input.
pub fn input() -> &'static [f32] {
    static INPUT: LazyLock<Vec<f32>> = LazyLock::new(numbers);
    &INPUT
}

fn numbers() -> Vec<f32> {
    let mut bits = 1_u32;
    let mut next = || {
        bits = bits.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        (bits >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..17_000).map(|_| next()).collect()
}

/// A call on kernels of small passes.
struct Small<F>(F);

/// What is called with kernels of any kind.
pub trait Call {
    fn on<K: Kernels>(self, k: &mut K);
}

impl<C: Call> Run for Small<C> {
    const MAY_BE_TINY: bool = true;
    const NAME: &'static str = "call";
    const PHASE: Phase = Phase::Forward;
    fn key(&self) -> Option<RunKey> {
        None
    }
    fn is_tiny(&self) -> bool {
        true
    }
    fn flops(&self) -> usize {
        0
    }
    fn run<K: Kernels>(self, k: &mut K) {
        self.0.on(k);
    }
}

/// Runs a call with an arena of `floats` NaNs, on the kernels of all passes or on those of small ones, and
/// gives the arena and what the call panicked with.
pub fn run(
    cpu: &Cpu,
    is_small: bool,
    floats: usize,
    input: &[f32],
    call: impl Call,
) -> (Storage, Result<(), String>) {
    let (arena, result) = lend(floats, input, |memory| {
        catch_unwind(AssertUnwindSafe(|| match is_small {
            true => cpu.run(memory, Small(call)).expect("a processor does not fail"),
            false => call.on(&mut cpu.step(memory)),
        }))
    });
    let message = |payload: Box<dyn std::any::Any + Send>| match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => {
            payload.downcast::<&str>().map_or_else(|_| "?".into(), |text| (*text).into())
        }
    };
    (arena, result.map_err(message))
}

/// An arena of NaNs, and the memory of a step without parameters in it.
fn lend<T>(floats: usize, input: &[f32], f: impl FnOnce(RunMemory<'_, Cpu>) -> T) -> (Storage, T) {
    let (mut arena, mut none) = (Storage::zeros(floats), Storage::zeros(0));
    arena.as_mut_slice().fill(f32::NAN);
    let result = f(RunMemory {
        params: &Storage::zeros(0),
        grads: &mut none,
        arena: &mut arena,
        cache: None,
        prepared: None,
        random: Random { seed: Seed(3), step: 5 },
        inputs: &[input],
        indices: &INDICES,
    });
    (arena, result)
}

/// Whether ranges alone of an arena were written.
pub fn check_gaps(name: &str, arena: &[f32], ranges: impl IntoIterator<Item = Buf>) {
    let mut ranges: Vec<_> = ranges.into_iter().map(|buf| (buf.start, buf.len)).collect();
    ranges.sort_unstable();
    let mut end = 0;
    for (start, len) in ranges.into_iter().chain([(arena.len(), 0)]) {
        let is_untouched = arena[end..start].iter().all(|x| x.is_nan());
        assert!(is_untouched, "{name}: a kernel wrote beside its ranges, before {start}");
        end = start + len;
    }
}

struct Calls<'a, R>(&'a mut Memory, PhantomData<R>);

impl<R: Room> Call for Calls<'_, R> {
    fn on<K: Kernels>(self, k: &mut K) {
        R::call(k, self.0);
    }
}

/// Runs a room on each instruction set, with one and two threads, and on kernels of small passes.
pub fn check<R: Room>() {
    let input = input();
    for level in simd_levels() {
        let cpus = [1, 2].map(|threads| Cpu::with_threads(threads).with_simd(level));
        let run = |cpu: &Cpu, is_small: bool| {
            let mut memory = Memory::new(R::FLOATS);
            let (arena, result) =
                run(cpu, is_small, R::FLOATS, input, Calls::<R>(&mut memory, PhantomData));
            let name = format!("{level:?}, small: {is_small}");
            result.unwrap_or_else(|message| panic!("{name}: {message}"));
            memory.results(&name, arena.as_slice(), true)
        };
        assert!(run(&cpus[0], false) == run(&cpus[1], false), "{level:?}: two threads differ");
        // Kernels of small passes sum in another order. An interpreter need not see those that are the same.
        if !cfg!(miri) || !is_same_when_small(level) {
            run(&cpus[0], true);
        }
    }
}

/// The same of a call of the kernels for all sizes, whose results may be no numbers.
pub fn check_all(
    name: &str,
    floats: usize,
    are_numbers: bool,
    call: impl Fn(&mut Memory, &mut CpuKernels<'_>),
) {
    let input = input();
    for level in simd_levels() {
        let [one, two] = [1, 2].map(|threads| {
            let cpu = Cpu::with_threads(threads).with_simd(level);
            let mut memory = Memory::new(floats);
            let (arena, ()) = lend(floats, input, |lent| call(&mut memory, &mut cpu.step(lent)));
            memory.results(name, arena.as_slice(), are_numbers)
        });
        assert!(one == two, "{name}, {level:?}: two threads differ");
    }
}

/// Whether small passes have no kernels of their own.
pub fn is_same_when_small(level: SimdLevel) -> bool {
    cfg!(target_arch = "x86_64") && level == SimdLevel::PORTABLE
}

/// Class indices from the first on.
pub fn indices(len: usize) -> Indices {
    Indices::new(0, len)
}
