//! Running calls on every instruction set, and what is checked of them.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use gradiron::Seed;
use gradiron::device::Storage;
use gradiron::device::{Cpu, CpuKernels, Device, Kernels, Random, Run, RunKey, RunMemory};
use gradiron::math::{SimdLevel, simd_levels};
use gradiron::profile::Phase;

use crate::calls::{self, INDICES, Memory, input};

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

/// Runs a call with an arena of `floats` NaNs, on the kernels of all passes or on those of small
/// ones, and gives the arena and what the call panicked with.
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

struct All<'a, C>(&'a mut Memory, PhantomData<C>);

impl<C: calls::Calls> Call for All<'_, C> {
    fn on<K: Kernels>(self, k: &mut K) {
        C::call(k, self.0);
    }
}

/// Runs calls on each instruction set, with one and two threads, and on kernels of small passes.
pub fn check<C: calls::Calls>() {
    let input = input();
    for level in simd_levels() {
        let cpus = [1, 2].map(|threads| Cpu::with_threads(threads).with_simd(level));
        let mut memory = Memory::new(C::FLOATS);
        let mut run = |cpu: &Cpu, is_small: bool| {
            memory.clear();
            let (arena, result) =
                run(cpu, is_small, C::FLOATS, input, All::<C>(&mut memory, PhantomData));
            let name = format!("{level:?}, small: {is_small}");
            result.unwrap_or_else(|message| panic!("{name}: {message}"));
            memory.results(&name, arena.as_slice(), true)
        };
        assert!(run(&cpus[0], false) == run(&cpus[1], false), "{level:?}: two threads differ");
        // Kernels of small passes sum in another order. An interpreter need not see those that are
        // the same.
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
