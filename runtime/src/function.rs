//! Functions of models as workspaces run them.

use crate::arena::Sizes;
use crate::device::{Buf, Indices, Kernels, Region, Run, RunKey};
use crate::profile::{PassOps, Phase};
use crate::program::Program;

/// A function may be compiled as one piece when a run with all run-time sizes at 1 takes at most
/// so many floating-point operations. Beyond, arithmetic outweighs what the calls of kernels cost.
const TINY_SAMPLE: usize = 1 << 15;
/// That piece runs when the whole run takes at most so many: it is the work of one thread.
const TINY_RUN: usize = 1 << 18;
/// A longer function stays in parts: as one piece it would take the compiler long.
const TINY_CODE: usize = 40;
/// Builds with debug assertions stay in parts as well: they are to be made quickly.
const TINY_BUILD: bool = !cfg!(debug_assertions);

/// Whether a function may be compiled as one piece, by the operations and the code size of a run
/// with all run-time sizes at 1. Builds that leave it in parts plan the same memory.
pub const fn is_small(flops: usize, code_size: usize) -> bool {
    flops <= TINY_SAMPLE && code_size <= TINY_CODE
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

/// The function number `AT` of a model. Implemented by `model!`.
pub trait Function<const AT: usize, const FLOATS: usize, const CLASSES: usize, const RESULTS: usize>:
    Program
{
    /// Floating-point operations of inference when all run-time sizes are 1.
    const FLOPS: usize;
    /// How long the code is of inference, and with gradients, in elementary operations.
    const CODE_SIZE: [usize; 2];
    /// What profiles call inference, and the function with gradients: `Mlp::loss`,
    /// `Mlp::loss_grad`.
    const NAMES: [&'static str; 2];
    /// The passes of inference, of the forward and of the backward pass.
    const OPS: [&'static PassOps; 3];

    /// Floating-point operations of inference.
    fn flops(n: Sizes) -> usize;

    /// Inference. The model's own memory is its parameters and its state.
    fn infer<K: Kernels>(
        k: &mut K,
        offsets: &[usize],
        owned: [Buf; 2],
        prepared: Buf,
        call: Call<FLOATS, CLASSES, RESULTS>,
    );

    /// The forward and the backward pass, which make the gradients of the parameters and the new
    /// state.
    fn grad<K: Kernels>(
        k: &mut K,
        offsets: &[usize],
        owned: [Buf; 2],
        call: Call<FLOATS, CLASSES, RESULTS>,
        made: [Buf; 2],
        gradients: Gradients<FLOATS, RESULTS>,
    );
}

/// What a model has in a region: its parameters and its state, or their successors.
#[inline(always)]
fn owned<M: Program>(region: Region) -> [Buf; 2] {
    [Buf::new(region, 0, M::PARAMS), Buf::new(region, M::PARAMS, M::STATE)]
}

/// The run that computes the prepared values. The memory that they are kept in is its arena.
pub(crate) struct Preparation<M>(pub std::marker::PhantomData<fn() -> M>);

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

    fn run<K: Kernels>(self, k: &mut K) {
        let prepared = Buf::new(Region::Arena, 0, *M::PREPARED.of(K::ON_HOST));
        M::prepare(k, owned::<M>(Region::Params), prepared);
    }
}

/// A run of the function `AT` of `M`, with gradients where `GRAD`.
pub(crate) struct Pass<
    'a,
    M,
    const AT: usize,
    const FLOATS: usize,
    const CLASSES: usize,
    const RESULTS: usize,
    const GRAD: bool,
> {
    pub offsets: &'a [usize],
    pub call: Call<FLOATS, CLASSES, RESULTS>,
    /// Empty ranges without gradients.
    pub gradients: Gradients<FLOATS, RESULTS>,
    pub model: std::marker::PhantomData<fn() -> M>,
}

impl<
    M,
    const AT: usize,
    const FLOATS: usize,
    const CLASSES: usize,
    const RESULTS: usize,
    const GRAD: bool,
> Run for Pass<'_, M, AT, FLOATS, CLASSES, RESULTS, GRAD>
where
    M: Function<AT, FLOATS, CLASSES, RESULTS>,
{
    const MAY_BE_TINY: bool = TINY_BUILD && is_small(M::FLOPS, M::CODE_SIZE[GRAD as usize]);

    const NAME: &'static str = M::NAMES[GRAD as usize];
    const PHASE: Phase = if GRAD { Phase::Both } else { Phase::Forward };

    fn key(&self) -> Option<RunKey> {
        let want_inputs = self.gradients.want_inputs;
        Some(RunKey { name: Self::NAME, n: self.call.n, want_inputs })
    }

    fn flops(&self) -> usize {
        let passes = if GRAD { &M::OPS[1..] } else { &M::OPS[..1] };
        let flops = passes.iter().map(|ops| ops.flops(self.call.n, self.gradients.want_inputs));
        flops.fold(0, crate::arena::plus)
    }

    #[inline(always)]
    fn is_tiny(&self) -> bool {
        M::flops(self.call.n) <= TINY_RUN
    }

    #[inline(always)]
    fn run<K: Kernels>(mut self, k: &mut K) {
        // The regions are the same for every call. Said here, they are constants for the kernels
        // that are inlined behind.
        for (i, arg) in self.call.args.iter_mut().enumerate() {
            arg.region = Region::Input(i as u8);
        }
        self.call.results.iter_mut().for_each(|result| result.region = Region::Arena);
        self.gradients.d_args.iter_mut().for_each(|d_arg| d_arg.region = Region::Arena);
        self.call.block.region = Region::Arena;
        let given = owned::<M>(Region::Params);
        if GRAD {
            let made = owned::<M>(Region::Grads);
            M::grad(k, self.offsets, given, self.call, made, self.gradients);
            k.finish(made[0], self.gradients.d_args);
        } else {
            let prepared = Buf::new(Region::Prepared, 0, *M::PREPARED.of(K::ON_HOST));
            M::infer(k, self.offsets, given, prepared, self.call);
        }
    }
}
