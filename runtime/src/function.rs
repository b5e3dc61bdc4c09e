//! Functions of models: what their passes are given, and how workspaces run them.

use std::marker::PhantomData;

use crate::arena::{Sizes, padded, sum};
use crate::device::{Buf, Indices, Kernels, Region, Run, RunKey, Target};
use crate::layout::Layout;
use crate::module::named_tensors;
use crate::profile::{PassOps, Phase};
use crate::program::{FunctionPlan, Pass, Program};
use crate::want::Want;

/// A function may be compiled as one piece when a run of one sample takes at most so many
/// floating-point operations. Beyond, arithmetic outweighs what the calls of kernels cost.
const TINY_SAMPLE: usize = 1 << 15;
/// That piece runs when the whole run takes at most so many: it is the work of one thread.
const TINY_RUN: usize = 1 << 18;
/// A longer function stays in parts: as one piece it would take the compiler long.
const TINY_CODE: usize = 40;
/// Builds with debug assertions stay in parts as well: they are to be made quickly.
const TINY_BUILD: bool = !cfg!(debug_assertions);

/// Whether a function may be compiled as one piece, by the operations and the code size of a run
/// of one sample. Builds that leave it in parts plan the same memory.
pub const fn is_small(flops: usize, code_size: usize) -> bool {
    flops <= TINY_SAMPLE && code_size <= TINY_CODE
}

/// What stands before the offsets of a function: the floats of its saved and its scratch memory,
/// the number of the target that they are for, and the least floats that any plan takes.
pub(crate) const HEADER: usize = 4;
pub(crate) const TARGET: usize = 2;

/// Appends what passes read of a layout: the header, then where the buffers start. The offsets of
/// functions that it calls stand behind.
pub fn offsets<const N: usize>(layout: &Layout<N>, target: Target, out: &mut Vec<usize>) {
    out.extend_from_slice(&[layout.saved, layout.scratch, target.number(), layout.least]);
    out.extend_from_slice(&layout.offsets);
}

/// Runs a pass as a function of its own, one however often it is called: where kernels are not
/// inlined.
#[inline(never)]
pub fn apart<K: Kernels, Given>(k: &mut K, given: Given, pass: impl FnOnce(&mut K, Given)) {
    pass(k, given);
}

/// What inference is given, of whole sequences or of their next positions. The numbers of
/// arguments are generic: where a caller has another one in mind, the check of the call says so,
/// not rustc's types.
#[derive(Clone, Copy, Debug)]
pub struct Infer<'a, const FLOATS: usize, const CLASSES: usize, const RESULTS: usize> {
    /// The run-time sizes.
    pub n: Sizes,
    /// Where the buffers of the function lie, and of those that it calls.
    pub offsets: &'a [usize],
    /// The parameters.
    pub params: Buf,
    /// The state.
    pub state: Buf,
    /// The float arguments.
    pub args: [Buf; FLOATS],
    /// The class indices.
    pub classes: [Indices; CLASSES],
    /// The results.
    pub results: [Buf; RESULTS],
    /// What is kept of the positions before; nothing of whole sequences.
    pub cache: Buf,
    /// What was prepared of the parameters.
    pub prepared: Buf,
    /// The planned memory.
    pub scratch: Buf,
}

/// What the forward pass of training is given.
#[derive(Clone, Copy, Debug)]
pub struct Forward<'a, const FLOATS: usize, const CLASSES: usize, const RESULTS: usize> {
    /// The run-time sizes.
    pub n: Sizes,
    /// Where the buffers of the function lie, and of those that it calls.
    pub offsets: &'a [usize],
    /// Which gradients the backward pass is asked for.
    pub want: Want,
    /// The parameters.
    pub params: Buf,
    /// The state.
    pub state: Buf,
    /// The float arguments.
    pub args: [Buf; FLOATS],
    /// The class indices.
    pub classes: [Indices; CLASSES],
    /// The results.
    pub results: [Buf; RESULTS],
    /// The planned memory that lasts into the backward pass.
    pub saved: Buf,
    /// The state behind this run.
    pub new_state: Buf,
    /// The planned memory of this pass.
    pub scratch: Buf,
}

/// What the backward pass is given.
#[derive(Clone, Copy, Debug)]
pub struct Backward<'a, const FLOATS: usize, const CLASSES: usize, const RESULTS: usize> {
    /// The run-time sizes.
    pub n: Sizes,
    /// Where the buffers of the function lie, and of those that it calls.
    pub offsets: &'a [usize],
    /// Which gradients are asked for.
    pub want: Want,
    /// The parameters.
    pub params: Buf,
    /// The state, as it was before this run.
    pub state: Buf,
    /// The float arguments.
    pub args: [Buf; FLOATS],
    /// The class indices.
    pub classes: [Indices; CLASSES],
    /// The results.
    pub results: [Buf; RESULTS],
    /// The planned memory that lasts from the forward pass.
    pub saved: Buf,
    /// The gradients of the results.
    pub d_results: [Buf; RESULTS],
    /// The gradients of the parameters.
    pub d_params: Buf,
    /// The gradients of the float arguments, empty where they are not asked for.
    pub d_args: [Buf; FLOATS],
    /// The planned memory of this pass.
    pub scratch: Buf,
}

/// The elements of what a function takes and gives; where they do not fit into a `usize`, the
/// largest number.
#[derive(Clone, Copy, Debug)]
pub struct Lens<const FLOATS: usize, const CLASSES: usize, const RESULTS: usize> {
    /// Of the float arguments.
    pub args: [usize; FLOATS],
    /// Of the class indices.
    pub classes: [usize; CLASSES],
    /// Of the results.
    pub results: [usize; RESULTS],
}

impl<const FLOATS: usize, const CLASSES: usize, const RESULTS: usize>
    Lens<FLOATS, CLASSES, RESULTS>
{
    /// The arena that a pass takes, with a planned block of so many floats.
    pub const fn floats(&self, pass: Pass, block: usize) -> usize {
        let (results, d_args) = (padded_sum(&self.results), padded_sum(&self.args));
        match pass {
            Pass::Infer | Pass::Step | Pass::Training => sum(&[results, block]),
            Pass::Grad => sum(&[results, results, block]),
            Pass::GradInputs => sum(&[results, results, d_args, block]),
        }
    }
}

const fn padded_sum(lens: &[usize]) -> usize {
    let (mut all, mut i) = (0, 0);
    while i < lens.len() {
        all = crate::arena::plus(all, padded(lens[i]));
        i += 1;
    }
    all
}

/// What one run works on, beside the parameters.
#[derive(Clone, Copy, Debug)]
pub struct Call<const FLOATS: usize, const CLASSES: usize, const RESULTS: usize> {
    /// The run-time sizes.
    pub n: Sizes,
    /// The float arguments.
    pub args: [Buf; FLOATS],
    /// The class indices.
    pub classes: [Indices; CLASSES],
    /// The results.
    pub results: [Buf; RESULTS],
    /// The planned memory.
    pub block: Buf,
}

/// What a run with gradients works on beside its [`Call`].
#[derive(Clone, Copy, Debug)]
pub struct Gradients<const FLOATS: usize, const RESULTS: usize> {
    /// The gradients of the results.
    pub d_results: [Buf; RESULTS],
    /// The gradients of the float arguments, empty where they are not asked for.
    pub d_args: [Buf; FLOATS],
    /// Whether they are.
    pub want_inputs: bool,
}

/// A function of a model, as a type without values of its own. Implemented by `model!`.
pub trait Function<const FLOATS: usize, const CLASSES: usize, const RESULTS: usize> {
    /// The model.
    type Model: Program;
    /// Its number among the functions of the model.
    const AT: usize;
    /// Whether it gives a loss: its gradient is 1.
    const IS_LOSS: bool;
    /// The ranges of parameters that its gradient leaves out, where `#[trains(…)]` says so.
    const ABSENT: &'static [[usize; 2]] = &[];
    /// How long the code is of inference, and with gradients, in elementary operations.
    const CODE_SIZE: [usize; 2];
    /// What profiles call inference, the function with gradients, and as in training without:
    /// `Mlp::loss`, `Mlp::loss_grad`, `Mlp::loss (training)`.
    const NAMES: [&'static str; 3];
    /// The passes of inference, of the forward and of the backward pass.
    const OPS: [&'static PassOps; 3];
    /// Floating-point operations of inference of one sample; sizes that vary within it count as 32.
    const FLOPS: usize;

    /// Floating-point operations of inference.
    fn flops(n: Sizes) -> usize;

    /// The elements of the arguments and the results.
    fn lens(n: Sizes) -> Lens<FLOATS, CLASSES, RESULTS>;

    /// The floats of the arena that a pass takes.
    fn floats(n: Sizes, pass: Pass, target: Target) -> usize;

    /// Appends the offsets of the planned buffers of a pass.
    fn offsets(n: Sizes, pass: Pass, target: Target, out: &mut Vec<usize>);

    /// Inference.
    fn infer<K: Kernels>(k: &mut K, given: Infer<FLOATS, CLASSES, RESULTS>);

    /// The forward pass of training.
    fn forward<K: Kernels>(k: &mut K, given: Forward<FLOATS, CLASSES, RESULTS>);

    /// The backward pass, which makes the gradients of the parameters and the new state.
    fn backward<K: Kernels>(k: &mut K, given: Backward<FLOATS, CLASSES, RESULTS>);
}

impl FunctionPlan {
    /// The memory of a function in a workspace of these sizes.
    pub fn of<F, const FLOATS: usize, const CLASSES: usize, const RESULTS: usize>(
        _: F,
        n: Sizes,
        target: Target,
    ) -> Self
    where
        F: Function<FLOATS, CLASSES, RESULTS>,
    {
        let passes = [Pass::Infer, Pass::Grad, Pass::GradInputs, Pass::Step, Pass::Training];
        let offsets = passes.map(|pass| {
            let mut offsets = Vec::new();
            F::offsets(n, pass, target, &mut offsets);
            offsets
        });
        let floats = passes.map(|pass| F::floats(n, pass, target));
        Self { floats, indices: sum(&F::lens(n).classes), offsets }
    }
}

/// What a model has in a region: its parameters and its state, or their successors.
#[inline(always)]
pub(crate) fn owned<M: Program>(region: Region) -> [Buf; 2] {
    [Buf::new(region, 0, M::PARAMS), Buf::new(region, M::PARAMS, M::STATE)]
}

/// The run that computes the prepared values. The memory that they are kept in is its arena.
pub(crate) struct Preparation<M>(pub PhantomData<fn() -> M>);

impl<M: Program> Run for Preparation<M> {
    const MAY_BE_TINY: bool = false;
    const NAME: &'static str = M::PREPARE;
    const PHASE: Phase = Phase::Prepare;

    fn key(&self) -> Option<RunKey> {
        Some(RunKey { name: Self::NAME, n: [1; 4], want_inputs: false })
    }

    fn is_tiny(&self) -> bool {
        false
    }

    fn flops(&self) -> usize {
        0
    }

    fn tensors() -> Vec<(String, usize, usize)> {
        named_tensors::<M>()
    }

    fn run<K: Kernels>(self, k: &mut K) {
        let prepared = Buf::new(Region::Arena, 0, *M::PREPARED.of(K::ON_HOST));
        M::prepare(k, owned::<M>(Region::Params), prepared);
    }
}

/// A run of the function `F`, with gradients where `GRAD`.
pub(crate) struct FunctionRun<
    'a,
    F,
    const FLOATS: usize,
    const CLASSES: usize,
    const RESULTS: usize,
    const GRAD: bool,
> {
    pub offsets: &'a [usize],
    pub call: Call<FLOATS, CLASSES, RESULTS>,
    /// Empty ranges without gradients.
    pub gradients: Gradients<FLOATS, RESULTS>,
    pub function: PhantomData<fn() -> F>,
}

impl<F, const FLOATS: usize, const CLASSES: usize, const RESULTS: usize, const GRAD: bool> Run
    for FunctionRun<'_, F, FLOATS, CLASSES, RESULTS, GRAD>
where
    F: Function<FLOATS, CLASSES, RESULTS>,
{
    const MAY_BE_TINY: bool = TINY_BUILD && is_small(F::FLOPS, F::CODE_SIZE[GRAD as usize]);

    const NAME: &'static str = F::NAMES[GRAD as usize];
    const PHASE: Phase = if GRAD { Phase::Both } else { Phase::Forward };

    fn key(&self) -> Option<RunKey> {
        let want_inputs = self.gradients.want_inputs;
        Some(RunKey { name: Self::NAME, n: self.call.n, want_inputs })
    }

    fn flops(&self) -> usize {
        let passes = if GRAD { &F::OPS[1..] } else { &F::OPS[..1] };
        let flops = passes.iter().map(|ops| ops.flops(self.call.n, self.gradients.want_inputs));
        flops.fold(0, crate::arena::plus)
    }

    #[inline(always)]
    fn is_tiny(&self) -> bool {
        F::flops(self.call.n) <= TINY_RUN
    }

    fn tensors() -> Vec<(String, usize, usize)> {
        named_tensors::<F::Model>()
    }

    #[inline(always)]
    fn run<K: Kernels>(mut self, k: &mut K) {
        // The regions are the same for every call. Said here, they are constants for the kernels
        // that are inlined behind.
        for (i, arg) in self.call.args.iter_mut().enumerate() {
            (arg.region, arg.constant) = (Region::Input(i as u8), None);
        }
        let in_arena = |buf: &mut Buf| (buf.region, buf.constant) = (Region::Arena, None);
        self.call.results.iter_mut().for_each(in_arena);
        self.gradients.d_args.iter_mut().for_each(in_arena);
        in_arena(&mut self.call.block);
        let [params, state] = owned::<F::Model>(Region::Params);
        let (offsets, Call { n, args, classes, results, block }) = (self.offsets, self.call);
        if !GRAD {
            let prepared = Buf::new(Region::Prepared, 0, *F::Model::PREPARED.of(K::ON_HOST));
            let (cache, scratch) = (block.part(0, 0), block);
            return F::infer(
                k,
                Infer {
                    n,
                    offsets,
                    params,
                    state,
                    args,
                    classes,
                    results,
                    cache,
                    prepared,
                    scratch,
                },
            );
        }
        let [d_params, new_state] = owned::<F::Model>(Region::Grads);
        let Gradients { d_results, d_args, want_inputs } = self.gradients;
        let (saved, scratch) = (block, block);
        let want = Want { inputs: want_inputs, ..Want::ALL };
        F::forward(
            k,
            Forward {
                n,
                offsets,
                want,
                params,
                state,
                args,
                classes,
                results,
                saved,
                new_state,
                scratch,
            },
        );
        if F::IS_LOSS {
            // The gradient of a loss by itself: of what is given beside it, none.
            k.seed(d_results[0]);
            d_results[1..].iter().for_each(|further| k.fill(*further, 0.0));
        }
        F::backward(
            k,
            Backward {
                n,
                offsets,
                want,
                params,
                state,
                args,
                classes,
                results,
                saved,
                d_results,
                d_params,
                d_args,
                scratch,
            },
        );
        k.finish(d_params, d_args);
    }
}
