//! The CPU as a device: ranges become slices.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::blocks;
use super::hook::{Hook, Onlookers};
use super::tiny::run_tiny;
use super::{
    Buf, Changing, Device, DeviceError, Element, Host, Indices, Kernels, Lent, Precision, Random,
    Region, Run, RunMemory, Target, Threads,
};
use crate::arena::Sizes;
use crate::constant::Constant;
use crate::math::SimdLevel;
use crate::observe::{Checks, Given, Observer, TraceFile, Watch};
use crate::ops::conv2d::{Algorithm, Choice};
use crate::profile::{PassOps, Profile};
use crate::storage::Storage;

/// The processor that the program runs on.
#[derive(Clone, Debug)]
pub struct Cpu {
    threads: Threads,
    level: SimdLevel,
    convolution: Choice,
    precision: Precision,
    /// Who looks on, if anybody does.
    onlookers: Option<Box<Onlookers>>,
}

impl Cpu {
    /// As many threads as the process may use.
    pub fn new() -> Self {
        Self::with_threads(std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// `count` threads, the calling one included (0 counts as 1), of 1024 at most
    /// ([`MOST_THREADS`](super::MOST_THREADS)). Results have the same bits for any count.
    pub fn with_threads(count: usize) -> Self {
        blocks::make();
        Self {
            threads: Threads::new(count.max(1)),
            level: SimdLevel::detect(),
            precision: Precision::F32,
            convolution: Choice::Any,
            onlookers: Onlookers::from_environment(),
        }
    }

    /// The same threads, large products and what is stored between passes in `precision`.
    ///
    /// ```
    /// use gradiron::device::{Cpu, Precision};
    /// let cpu = Cpu::new().with_precision(Precision::Bf16);
    /// ```
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The same threads, kernels for `level`: a lower one than the processor has, to test it.
    /// Results of different levels differ in rounding.
    pub fn with_simd(self, level: SimdLevel) -> Self {
        Self { level, ..self }
    }

    /// Whether convolutions with 3×3 windows may use minimal filtering (Winograd's algorithm),
    /// which they do unless told otherwise: up to four times as fast, with rounding errors about
    /// seven times as large ([`Algorithm::Winograd`](crate::ops::conv2d::Algorithm::Winograd)).
    pub fn with_winograd(self, winograd: bool) -> Self {
        let convolution = if winograd { Choice::Any } else { Choice::WithoutWinograd };
        Self { convolution, ..self }
    }

    /// Whether runs take numbers below the normal ones (2⁻¹²⁶) for zeros and make zeros of results
    /// that would be such, which they do not unless told to. What decays, such as the state of a
    /// recurrent layer after its input has fallen silent, ends among these numbers, and many
    /// processors compute with them tens of times more slowly. The calling thread computes after a
    /// run as it did before.
    ///
    /// It is there where a processor has such a mode: on x86-64 and on 64-bit ARM.
    ///
    /// ```
    /// use gradiron::device::Cpu;
    /// let cpu = Cpu::with_threads(1).with_flush_to_zero(true);
    /// ```
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    pub fn with_flush_to_zero(self, flush: bool) -> Self {
        Self { threads: self.threads.with_flush(flush), ..self }
    }

    /// The same threads; what runs on them is recorded in `profile`, and not in the record that
    /// `GRADIRON_PROFILE` asks for ([`profile`](crate::profile)).
    pub fn with_profile(self, profile: &Profile) -> Self {
        self.seen_by(|onlookers| onlookers.profile = Some(profile.clone()))
    }

    /// The same threads; after each operation of a run, `observer` sees what it read and wrote,
    /// behind the observers that are there already ([`debug`](crate::debug)).
    pub fn with_observer(self, observer: impl Observer + 'static) -> Self {
        self.seen_by(|onlookers| onlookers.observers.push(Arc::new(observer)))
    }

    /// The same threads; a run in which a value is not finite is an error
    /// ([`DeviceError::Stopped`]), which says where the first one is, which line of the model made
    /// it, and what of. Its source is a [`NotFinite`](crate::debug::NotFinite).
    ///
    /// Infinities that `masked_fill` and `where` make, and what follows from these, are none of
    /// them. A run takes several times as long.
    ///
    /// ```
    /// use gradiron::prelude::*;
    ///
    /// model! {
    ///     struct Net { fc: Linear(2 -> 3) }
    ///     fn loss(&self, x: [batch, 2]) -> [] { self.fc(x).square().neg().log().mean() }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let net = Net::init(Seed(0));
    /// let mut ws = Net::workspace_on(Cpu::new().with_checks(), 4)?;
    /// let error = net.loss_grad(&mut ws, &[[1.0, 2.0]; 4]).unwrap_err().to_string();
    /// assert!(error.contains("NaN at [0, 0] of `fc + square + neg + log`"), "{error}");
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_checks(self) -> Self {
        self.with_observer(Checks)
    }

    /// The same threads, with [checks](Self::with_checks); the first run that fails one is written
    /// to a file, with all that it was given, for [`StepTrace`](crate::debug::StepTrace) to run it
    /// again. `GRADIRON_TRACE=path` asks for it without a change of the program.
    pub fn with_trace(self, path: impl AsRef<Path>) -> Self {
        self.seen_by(|onlookers| onlookers.trace_to(TraceFile::new(path.as_ref())))
    }

    /// Has the system bring in the blocks that its threads borrow.
    pub(crate) fn touch_blocks(&self) {
        blocks::touch(self.threads.count());
    }

    /// Starts a step.
    #[inline]
    pub fn step<'a>(&'a self, memory: RunMemory<'a, Self>) -> CpuKernels<'a> {
        self.threads.in_step(true);
        CpuKernels {
            params: memory.params.as_slice(),
            grads: Writable::new(memory.grads.as_mut_slice()),
            arena: Writable::new(memory.arena.as_mut_slice()),
            cache: Writable::new(memory.cache.map_or(&mut [], Storage::as_mut_slice)),
            prepared: memory.prepared.map_or(&[], Storage::as_slice),
            random: memory.random,
            calls: 0,
            inputs: memory.inputs,
            indices: memory.indices,
            threads: &self.threads,
            level: self.level,
            convolution: self.convolution,
            precision: self.precision,
            hook: Hook::None,
        }
    }

    /// A run that flushes numbers below the normal ones to zero.
    #[inline(never)]
    fn run_flushed<R: Run>(&self, memory: RunMemory<'_, Self>, run: R) {
        let _flush = self.threads.flush();
        if R::MAY_BE_TINY && run.is_tiny() {
            run_tiny(self.level, self.step(memory), run);
        } else {
            run.run(&mut self.step(memory));
        }
    }

    /// The same threads, with one more who looks on.
    fn seen_by(mut self, add: impl FnOnce(&mut Onlookers)) -> Self {
        add(self.onlookers.get_or_insert_default());
        self
    }

    /// A run that is recorded or observed.
    #[cold]
    #[inline(never)]
    fn run_seen<R: Run>(
        &self,
        Onlookers { profile, observers, trace }: &Onlookers,
        memory: RunMemory<'_, Self>,
        run: R,
    ) -> Result<(), DeviceError> {
        let _flush = self.threads.flush();
        let is_observed = !observers.is_empty();
        let mut track = profile.as_ref().filter(|_| !is_observed).map(Profile::take_track);
        // The constant alone and first: where it is false, nothing behind it is compiled.
        if R::MAY_BE_TINY && run.is_tiny() && track.is_some() {
            let (flops, start) = (run.flops(), Instant::now());
            run_tiny(self.level, self.step(memory), run);
            if let Some(track) = &mut track {
                track.add_run(R::NAME, R::PHASE, start, flops);
            }
        } else {
            let watch = is_observed
                .then(|| RefCell::new(Watch::new(observers.clone(), R::NAME, R::tensors())));
            if let Some(track) = &mut track {
                track.begin(R::NAME, R::PHASE, Instant::now());
            }
            let (params, random) = (memory.params, memory.random);
            let (inputs, indices) = (memory.inputs, memory.indices);
            let mut step = self.step(memory);
            step.hook = match (&watch, &mut track) {
                (Some(watch), _) => Hook::Watch(watch),
                (None, Some(track)) => Hook::Profile(track),
                (None, None) => Hook::None,
            };
            run.run(&mut step);
            drop(step);
            if let Some(track) = &mut track {
                track.end(Instant::now());
            }
            let outcome = watch.map_or(Ok(()), |watch| watch.into_inner().outcome());
            if let (Err(_), Some(file)) = (&outcome, trace) {
                let (function, tensors, params) = (R::NAME, R::tensors(), params.as_slice());
                file.write(&Given { function, tensors, params, random, inputs, indices });
            }
            outcome.map_err(DeviceError::Stopped)?;
        }
        if let (Some(profile), Some(track)) = (profile, track) {
            profile.give_back(track);
        }
        Ok(())
    }
}

impl Default for Cpu {
    fn default() -> Self {
        Self::new()
    }
}

/// What weights that a processor prepares follow from, beside the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuPreparer {
    level: SimdLevel,
    precision: Precision,
    convolution: Choice,
}

impl Device for Cpu {
    type Memory = Storage;
    type Pending = f32;
    type Preparer = CpuPreparer;
    const ON_HOST: bool = true;

    fn allocate(&self, floats: usize) -> Result<Storage, DeviceError> {
        Storage::try_zeros(floats)
            .ok_or(DeviceError::OutOfMemory { device: "CPU", bytes: floats.saturating_mul(4) })
    }

    #[inline]
    fn read<'a>(
        &'a self,
        memory: &'a Storage,
        start: usize,
        len: usize,
    ) -> Result<&'a [f32], DeviceError> {
        Ok(&memory.as_slice()[start..][..len])
    }

    fn lend<'a>(&'a self, memory: &'a Storage) -> Lent<'a> {
        Lent::Host(memory.as_slice(), Host { threads: &self.threads, level: self.level })
    }

    fn change<'a>(
        &'a self,
        memory: &'a mut Storage,
        start: usize,
        len: usize,
    ) -> Result<Changing<'a>, DeviceError> {
        Ok(Changing::here(&mut memory.as_mut_slice()[start..][..len]))
    }

    fn preparer(&self) -> Option<CpuPreparer> {
        let Self { level, precision, convolution, .. } = *self;
        Some(CpuPreparer { level, precision, convolution })
    }

    #[inline]
    fn read_later(&self, memory: &Storage, at: usize) -> Result<f32, DeviceError> {
        Ok(memory.as_slice()[at])
    }

    fn target(&self) -> Target {
        self.precision.on_host()
    }

    fn profile(&self) -> Option<&Profile> {
        self.onlookers.as_ref()?.profile.as_ref()
    }

    #[inline(always)]
    fn run<R: Run>(&self, memory: RunMemory<'_, Self>, run: R) -> Result<(), DeviceError> {
        if let Some(onlookers) = &self.onlookers {
            return self.run_seen(onlookers, memory, run);
        } else if self.threads.flushes() {
            self.run_flushed(memory, run);
        } else if R::MAY_BE_TINY && run.is_tiny() {
            run_tiny(self.level, self.step(memory), run);
        } else {
            run.run(&mut self.step(memory));
        }
        Ok(())
    }
}

/// A step on the CPU.
pub struct CpuKernels<'a> {
    params: &'a [f32],
    grads: Writable<'a>,
    arena: Writable<'a>,
    cache: Writable<'a>,
    prepared: &'a [f32],
    random: Random,
    /// Calls of kernels that draw random numbers.
    calls: u32,
    inputs: &'a [&'a [f32]],
    indices: &'a [u32],
    threads: &'a Threads,
    level: SimdLevel,
    convolution: Choice,
    precision: Precision,
    pub(super) hook: Hook<'a>,
}

/// An exclusively borrowed slice that is handed out in parts.
struct Writable<'a> {
    start: *mut f32,
    len: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

impl<'a> Writable<'a> {
    #[inline]
    fn new(slice: &'a mut [f32]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), borrow: PhantomData }
    }

    /// The start of `buf`.
    ///
    /// # Panics
    /// When `buf` leaves the region (a bug of this library).
    #[inline(always)]
    fn at(&self, buf: Buf) -> *mut f32 {
        check(buf, self.len);
        // SAFETY: `start + buf.start` is inside the slice, or one past its end.
        unsafe { self.start.add(buf.start) }
    }
}

/// # Panics
/// When `buf` leaves its region of `len` floats (a bug of this library).
#[inline(always)]
fn check(buf: Buf, len: usize) {
    #[cold]
    #[inline(never)]
    fn outside(buf: Buf, len: usize) -> ! {
        panic!("gradiron: {buf:?} is no range of a region of {len} floats (a bug)")
    }
    let is_inside = buf.start <= len && buf.len <= len - buf.start;
    if !is_inside || buf.element != Element::Float {
        outside(buf, len);
    }
}

/// The start of `buf` in a region that is read only.
#[inline(always)]
fn start_in(region: &[f32], buf: Buf) -> *const f32 {
    check(buf, region.len());
    // SAFETY: `start` is inside the slice, or one past its end.
    unsafe { region.as_ptr().add(buf.start) }
}

impl Kernels for CpuKernels<'_> {
    const ON_HOST: bool = true;

    #[inline(always)]
    fn enter(&mut self, ops: &'static PassOps, n: Sizes) {
        self.hook_enter(ops, n);
    }

    #[inline(always)]
    fn op(&mut self, number: usize) {
        self.hook_op(number);
    }

    #[inline(always)]
    fn item(&mut self, number: usize) {
        self.hook_item(number);
    }

    #[inline(always)]
    fn leave(&mut self) {
        self.hook_leave();
    }
}

impl Drop for CpuKernels<'_> {
    // A call would keep a small step in memory, not in registers.
    #[inline(always)]
    fn drop(&mut self) {
        self.threads.in_step(false);
    }
}

impl<'a> CpuKernels<'a> {
    pub(crate) fn threads(&self) -> &'a Threads {
        self.threads
    }

    pub(crate) fn level(&self) -> SimdLevel {
        self.level
    }

    pub(crate) fn random(&self) -> Random {
        self.random
    }

    /// The number of the next call that draws random numbers.
    pub(crate) fn next_call(&mut self) -> u32 {
        let call = self.calls;
        self.calls += 1;
        call
    }

    pub(crate) fn convolution(&self) -> Choice {
        self.convolution
    }

    /// Convolutions by `algorithm` wherever it fits: for tests of algorithms that would not be
    /// chosen. The caller gives the scratch memory of [`Conv2dSpec::scratch_of`].
    ///
    /// [`Conv2dSpec::scratch_of`]: crate::ops::conv2d::Conv2dSpec::scratch_of
    #[doc(hidden)]
    pub fn convolve_by(&mut self, algorithm: Algorithm) {
        self.convolution = Choice::Only(algorithm);
    }

    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }

    /// The class indices of `range`.
    pub(crate) fn indices(&self, range: Indices) -> &'a [u32] {
        let all = match range.constant {
            Some(constant) => constant.numbers(),
            None => self.indices,
        };
        &all[range.start..range.start + range.len]
    }

    /// The slices of a kernel call: `writes` to write, `reads` to read.
    ///
    /// # Panics
    /// When a range leaves its region, a written range is read-only or overlaps another range.
    /// The plan rules this out, so it would be a bug of this library.
    #[inline]
    pub(crate) fn views<const W: usize, const R: usize>(
        &mut self,
        writes: [Buf; W],
        reads: [Buf; R],
    ) -> ([&mut [f32]; W], [&[f32]; R]) {
        if self.is_observed() {
            self.note(&reads, &writes);
        }
        for (i, w) in writes.iter().enumerate() {
            let apart = writes[..i].iter().chain(&reads).all(|other| !w.overlaps(*other));
            assert!(apart, "gradiron: a written range is in use: {writes:?} {reads:?} (a bug)");
        }
        let writes = writes.map(|w| {
            // SAFETY: `written` checked the bounds; the loop above showed that no other range of
            // this call overlaps, and the borrow of `self` keeps further calls out.
            unsafe { std::slice::from_raw_parts_mut(self.written(w), w.len) }
        });
        let reads = reads.map(|r| {
            // SAFETY: `read` checked the bounds, and no written range overlaps this one.
            unsafe { std::slice::from_raw_parts(self.read(r), r.len) }
        });
        (writes, reads)
    }

    /// The start of a range that may be written, bounds checked.
    #[inline(always)]
    pub(crate) fn written(&self, buf: Buf) -> *mut f32 {
        match buf.region {
            Region::Grads => self.grads.at(buf),
            Region::Arena => self.arena.at(buf),
            Region::Cache => self.cache.at(buf),
            Region::Params | Region::Prepared | Region::Input(_) | Region::Constant => {
                panic!("gradiron: {buf:?} is read-only (a bug)")
            }
        }
    }

    /// The start of a range that may be read, bounds checked.
    #[inline(always)]
    pub(crate) fn read(&self, buf: Buf) -> *const f32 {
        match buf.region {
            Region::Params => start_in(self.params, buf),
            Region::Grads => self.grads.at(buf),
            Region::Arena => self.arena.at(buf),
            Region::Cache => self.cache.at(buf),
            Region::Prepared => start_in(self.prepared, buf),
            Region::Input(i) => start_in(self.inputs[usize::from(i)], buf),
            Region::Constant => start_in(buf.constant.map_or(&[], Constant::numbers), buf),
        }
    }
}
