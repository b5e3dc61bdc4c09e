//! The memory of a model's runs: allocated once, before the first.

mod step;

use std::marker::PhantomData;

use crate::arena::Sizes;
use crate::device::{
    Buf, Cpu, Device, DeviceError, Indices, Kernels, Loss, Random, Region, StepMemory, Target,
};
use crate::function::{self, Call, Function, Gradients};
use crate::init::Seed;
use crate::module::{Model, Module};
use crate::optim::{Grads, Optimizer};
use crate::storage::{Storage, Version};

/// The largest run-time size that a workspace takes.
const MAX_SIZE: usize = 1 << 24;

/// What a function is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// The results alone.
    Infer,
    /// The gradients of the parameters.
    Grad,
    /// Those of the float arguments as well.
    GradInputs,
    /// The results of the next positions of sequences.
    Step,
}

/// The memory of one function, as planned for a workspace's sizes.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct FunctionPlan {
    /// Floats of the arena, by pass.
    floats: [usize; 4],
    indices: usize,
    /// Offsets of the planned buffers, by pass.
    offsets: [Vec<usize>; 4],
}

impl FunctionPlan {
    pub fn new(
        floats: [usize; 4],
        indices: usize,
        infer: impl Fn(&mut Vec<usize>),
        step: impl Fn(&mut Vec<usize>),
        grad: impl Fn(&mut Vec<usize>),
        grad_inputs: impl Fn(&mut Vec<usize>),
    ) -> Self {
        let mut offsets = [const { Vec::new() }; 4];
        infer(&mut offsets[0]);
        grad(&mut offsets[1]);
        grad_inputs(&mut offsets[2]);
        step(&mut offsets[3]);
        Self { floats, indices, offsets }
    }
}

/// A model as workspaces see it. Implemented by `model!` and `#[derive(Module)]`.
pub trait Program: Module {
    /// The type that owns the parameters, whose gradients these are.
    type Owner;

    /// The names of the run-time sizes.
    const SIZES: &'static [&'static str];

    /// The memory of the functions, in a workspace that stores values so.
    #[doc(hidden)]
    fn plan(n: Sizes, target: Target) -> Vec<FunctionPlan>;

    /// The floats of what inference prepares, on a processor and on a GPU.
    #[doc(hidden)]
    const PREPARED: [usize; 2];

    /// What profiles call the run that prepares them.
    #[doc(hidden)]
    const PREPARE: &'static str;

    /// Prepares inference for the present parameters and state.
    #[doc(hidden)]
    fn prepare<K: Kernels>(k: &mut K, owned: [Buf; 2], prepared: Buf);
}

/// All memory that runs of an `M` need on a device: activations, saved values, scratch memory,
/// results and gradients. Nothing is allocated after the first run, in which each
/// thread allocates what it keeps for packed matrices.
#[derive(Debug)]
pub struct Workspace<M, D: Device = Cpu> {
    device: D,
    capacity: Sizes,
    /// What passes use, and behind it what is prepared for inference.
    arena: D::Memory,
    prepared_at: usize,
    /// The version of the parameters and the state that it was prepared for.
    prepared_for: Option<Version>,
    /// The gradients of the parameters, then the new state.
    grads: D::Memory,
    /// Whether a `…_grad` call has made a new state.
    has_state: bool,
    indices: Vec<u32>,
    random: Random,
    plans: Vec<FunctionPlan>,
    none: Storage,
    model: PhantomData<fn() -> M>,
}

impl<M: Program, D: Device> Workspace<M, D> {
    const PREPARED: usize = M::PREPARED[D::ON_GPU as usize];

    /// Memory for runs of at most the run-time sizes `capacity`.
    ///
    /// # Errors
    /// When a size is 0 or absurd, or the device's memory does not suffice.
    pub fn new(device: D, capacity: Sizes) -> Result<Self, WorkspaceError> {
        for (name, size) in M::SIZES.iter().zip(capacity) {
            if !(1..=MAX_SIZE).contains(&size) {
                return Err(WorkspaceError::Capacity { name, size, most: MAX_SIZE });
            }
        }
        let plans = M::plan(capacity, device.target());
        let floats = plans.iter().flat_map(|plan| plan.floats).max().unwrap_or(0);
        let indices = plans.iter().map(|plan| plan.indices).max().unwrap_or(0);
        Ok(Self {
            arena: device.allocate(floats + Self::PREPARED)?,
            prepared_at: floats,
            prepared_for: None,
            grads: device.allocate(M::PARAMS + M::STATE)?,
            has_state: false,
            indices: vec![0; indices],
            random: Random::default(),
            none: Storage::zeros(0),
            device,
            capacity,
            plans,
            model: PhantomData,
        })
    }

    /// The seed of what the next `…_grad` calls draw: what dropout drops. Each call draws anew; after
    /// the same seed the same calls draw the same. A new workspace has the seed 0.
    pub fn manual_seed(&mut self, seed: Seed) {
        self.random = Random { seed, step: 0 };
    }

    /// The bytes of this workspace: `M::train_bytes` of its capacity, or `M::train_bytes_with` for
    /// the device's precision.
    pub fn bytes(&self) -> usize {
        4 * (self.prepared_at + Self::PREPARED + self.indices.len() + M::PARAMS + M::STATE)
    }

    /// The gradients of the last `…_grad` call, and the state that it made.
    pub fn grads(&self) -> Grads<'_, M::Owner> {
        let state = if self.has_state { M::STATE } else { 0 };
        Grads::lent(self.device.lend(&self.grads), M::PARAMS, state).recorded(self.device.profile())
    }
}

impl<M> Workspace<M> {
    /// Fills all memory with NaN: to test that no run reads what it has not written.
    #[doc(hidden)]
    pub fn poison(&mut self) {
        self.arena.as_mut_slice().fill(f32::NAN);
        self.grads.as_mut_slice().fill(f32::NAN);
        self.prepared_for = None;
    }
}

/// What generated code calls.
#[doc(hidden)]
impl<M: Program, D: Device> Workspace<M, D> {
    /// The run-time size number `at`, from `len` elements of `sample` each.
    #[inline]
    pub fn size(
        &self,
        at: usize,
        input: &'static str,
        len: usize,
        sample: usize,
    ) -> Result<usize, InputError> {
        let size = whole(input, len, sample)?;
        match size {
            0 => Err(InputError::Empty { input }),
            size if size > self.capacity[at] => Err(InputError::TooLarge {
                input,
                size: M::SIZES[at],
                found: size,
                capacity: self.capacity[at],
            }),
            size => Ok(size),
        }
    }

    /// Checks that another input has the same run-time size.
    #[inline]
    pub fn same(
        &self,
        at: usize,
        input: &'static str,
        len: usize,
        sample: usize,
        expected: usize,
    ) -> Result<(), InputError> {
        match whole(input, len, sample)? {
            found if found == expected => Ok(()),
            found => Err(InputError::Differs { input, size: M::SIZES[at], expected, found }),
        }
    }

    #[inline]
    pub fn exact(
        &self,
        input: &'static str,
        found: usize,
        expected: usize,
    ) -> Result<(), InputError> {
        if found == expected { Ok(()) } else { Err(InputError::Length { input, expected, found }) }
    }

    /// Copies class indices to where kernels read them, each below `bound.0`; with `bound.1` they are
    /// lengths of sequences. Each of the argument's rows has the shape `row`.
    #[inline]
    pub fn classes<C: ClassIndex>(
        &mut self,
        at: &mut usize,
        input: &'static str,
        indices: &[C],
        row: &[usize],
        bound: (usize, bool),
    ) -> Result<Indices, InputError> {
        let (start, (classes, lengths)) = (*at, bound);
        let slots = &mut self.indices[start..start + indices.len()];
        for (i, (slot, index)) in slots.iter_mut().zip(indices).enumerate() {
            match index.class() {
                Some(class) if class < classes => *slot = class as u32,
                _ => {
                    let (at, found) = (place(i, row), index.text());
                    return Err(match lengths {
                        false => InputError::Class { input, at, found, classes },
                        true => InputError::Steps { input, at, found, steps: classes - 1 },
                    });
                }
            }
        }
        *at += indices.len();
        Ok(Indices::new(start, indices.len()))
    }

    /// The floats of the arena that a function's pass may use.
    #[inline]
    pub fn floats(&self, function: usize, pass: Pass) -> usize {
        self.plans[function].floats[pass as usize]
    }

    /// Inference of the function `AT`.
    #[inline]
    pub fn infer<const AT: usize, const F: usize, const C: usize, const R: usize>(
        &mut self,
        params: Option<&Storage>,
        inputs: &[&[f32]],
        call: Call<F, C, R>,
    ) -> Result<(), DeviceError>
    where
        M: Function<AT, F, C, R>,
    {
        if Self::PREPARED > 0 {
            self.prepare(params)?;
        }
        let none = Buf::new(Region::Arena, 0, 0);
        let gradients = Gradients { d_results: [none; R], d_args: [none; F], want_inputs: false };
        self.run::<AT, F, C, R, false>(params, inputs, Pass::Infer, call, gradients)
    }

    /// Prepares inference, unless that was done for the same parameters and the same state.
    #[inline]
    fn prepare(&mut self, params: Option<&Storage>) -> Result<(), DeviceError> {
        let version = params.map(Storage::version);
        if self.prepared_for == version {
            return Ok(());
        }
        self.prepared_for = None;
        let start = self.prepared_at;
        let memory = StepMemory {
            params: params.unwrap_or(&self.none),
            grads: &mut self.grads,
            arena: &mut self.arena,
            cache: None,
            random: self.random,
            inputs: &[],
            indices: &[],
        };
        self.device.run(memory, function::Preparation::<M> { start, model: PhantomData })?;
        self.prepared_for = version;
        Ok(())
    }

    /// The function `AT` and its gradients.
    #[inline]
    pub fn grad<const AT: usize, const F: usize, const C: usize, const R: usize>(
        &mut self,
        params: Option<&Storage>,
        inputs: &[&[f32]],
        call: Call<F, C, R>,
        gradients: Gradients<F, R>,
    ) -> Result<(), DeviceError>
    where
        M: Function<AT, F, C, R>,
    {
        let pass = if gradients.want_inputs { Pass::GradInputs } else { Pass::Grad };
        self.run::<AT, F, C, R, true>(params, inputs, pass, call, gradients)
    }

    /// The function `AT`, its gradients, and the step of an optimizer along them.
    #[inline]
    pub fn train<const AT: usize, const F: usize, const C: usize, const R: usize>(
        &mut self,
        net: &mut M::Owner,
        optimizer: &mut impl Optimizer<M::Owner>,
        inputs: &[&[f32]],
        call: Call<F, C, R>,
        gradients: Gradients<F, R>,
    ) -> Result<Loss, DeviceError>
    where
        M: Function<AT, F, C, R>,
        M::Owner: Model,
    {
        let loss = call.results[0].start;
        let deferred = self.device.defer(&self.grads);
        if deferred {
            let grads = Grads::lent(self.device.lend(&self.grads), M::PARAMS, M::STATE);
            optimizer.step(net, grads);
        }
        let params = net.storage().map(|params| &*params);
        self.run::<AT, F, C, R, true>(params, inputs, Pass::Grad, call, gradients)?;
        let loss = Loss::new(self.device.read_later(&self.arena, loss)?);
        if !deferred {
            optimizer.step(net, self.grads());
        }
        Ok(loss)
    }

    #[inline(always)]
    fn run<const AT: usize, const F: usize, const C: usize, const R: usize, const GRAD: bool>(
        &mut self,
        params: Option<&Storage>,
        inputs: &[&[f32]],
        pass: Pass,
        call: Call<F, C, R>,
        gradients: Gradients<F, R>,
    ) -> Result<(), DeviceError>
    where
        M: Function<AT, F, C, R>,
    {
        let memory = StepMemory {
            params: params.unwrap_or(&self.none),
            grads: &mut self.grads,
            arena: &mut self.arena,
            cache: None,
            random: self.random,
            inputs,
            indices: &self.indices,
        };
        let offsets = &self.plans[AT].offsets[pass as usize][..];
        let (prepared, model) = (self.prepared_at, PhantomData);
        let run =
            function::Pass::<M, AT, F, C, R, GRAD> { offsets, call, prepared, gradients, model };
        self.device.run(memory, run)?;
        self.has_state |= GRAD;
        self.random.step += u64::from(GRAD);
        Ok(())
    }

    /// The floats of a result.
    #[inline]
    pub fn read(&self, buf: Buf) -> Result<&[f32], DeviceError> {
        self.device.read(&self.arena, buf.start, buf.len)
    }
}

#[inline]
fn whole(input: &'static str, len: usize, sample: usize) -> Result<usize, InputError> {
    match len.checked_rem(sample) {
        Some(0) => Ok(len / sample),
        _ => Err(InputError::NotWhole { input, found: len, sample }),
    }
}

/// A type that class indices come in: any integer.
pub trait ClassIndex: Copy {
    /// The index, when it is not negative.
    fn class(self) -> Option<usize>;

    #[doc(hidden)]
    fn text(self) -> i128;
}

macro_rules! class_index {
    ($($int:ty),*) => {
        $(impl ClassIndex for $int {
            #[inline]
            fn class(self) -> Option<usize> {
                usize::try_from(self).ok()
            }

            fn text(self) -> i128 {
                self as i128
            }
        })*
    };
}

class_index!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

/// A workspace that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the messages say it
pub enum WorkspaceError {
    #[error("the workspace's `{name}` is {size}, but goes from 1 to {most}")]
    Capacity { name: &'static str, size: usize, most: usize },
    #[error("a cache for {sequences} sequences, but the workspace was made for at most {most}")]
    Sequences { sequences: usize, most: usize },
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// An input that does not fit, and nothing was computed; or a device that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the messages say it
pub enum InputError {
    #[error("`{input}` is empty; give it at least one sample")]
    Empty { input: &'static str },
    #[error(
        "`{input}` has {size} = {found}, but the workspace was made for at most {capacity}; \
         make a larger one or split the input"
    )]
    TooLarge { input: &'static str, size: &'static str, found: usize, capacity: usize },
    #[error("`{input}` has {size} = {found}, but the inputs before it have {expected}")]
    Differs { input: &'static str, size: &'static str, expected: usize, found: usize },
    #[error("`{input}` has {found} floats, but needs {expected}")]
    Length { input: &'static str, expected: usize, found: usize },
    #[error("`{input}` has {found} elements, not a whole number of samples of {sample} each")]
    NotWhole { input: &'static str, found: usize, sample: usize },
    #[error(
        "`{input}` has {new} new positions, but the cache holds {past} of at most {length}; \
         `clear` it, or `truncate` it"
    )]
    Full { input: &'static str, new: usize, past: usize, length: usize },
    #[error(
        "the cache holds positions of other parameters, or of these before they changed; `clear` it"
    )]
    Stale,
    #[error("`{input}{}` is the class {found}, but classes go from 0 to {}", Place(at), classes - 1)]
    Class { input: &'static str, at: Vec<usize>, found: i128, classes: usize },
    #[error("`{input}{}` is the length {found}, but sequences have 0 to {steps} steps", Place(at))]
    Steps { input: &'static str, at: Vec<usize>, found: i128, steps: usize },
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// Where element `i` lies in an array of rows of the shape `row`.
fn place(mut i: usize, row: &[usize]) -> Vec<usize> {
    let mut at: Vec<usize> = row
        .iter()
        .rev()
        .map(|size| {
            let here = i % size;
            i /= size;
            here
        })
        .collect();
    at.push(i);
    at.reverse();
    at
}

/// `[3][17]`
struct Place<'a>(&'a [usize]);

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|at| write!(f, "[{at}]"))
    }
}
