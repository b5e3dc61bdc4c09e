//! Runs of functions as in training, without gradients.

use std::marker::PhantomData;

use crate::device::{Buf, Kernels, Region, Run, RunKey};
use crate::function::{Call, Forward, Function, owned};
use crate::module::named_tensors;
use crate::profile::Phase;
use crate::want::Want;

/// A run of the function `F` as in training, without gradients.
pub(crate) struct TrainingRun<
    'a,
    F,
    const FLOATS: usize,
    const CLASSES: usize,
    const RESULTS: usize,
> {
    pub offsets: &'a [usize],
    pub call: Call<FLOATS, CLASSES, RESULTS>,
    /// Where the state goes that the run makes, and nobody reads.
    pub new_state: Buf,
    pub function: PhantomData<fn() -> F>,
}

impl<F, const FLOATS: usize, const CLASSES: usize, const RESULTS: usize> Run
    for TrainingRun<'_, F, FLOATS, CLASSES, RESULTS>
where
    F: Function<FLOATS, CLASSES, RESULTS>,
{
    const MAY_BE_TINY: bool = false;
    const NAME: &'static str = F::NAMES[2];
    const PHASE: Phase = Phase::Forward;

    fn key(&self) -> Option<RunKey> {
        Some(RunKey { name: Self::NAME, n: self.call.n, want_inputs: false })
    }

    fn is_tiny(&self) -> bool {
        false
    }

    fn flops(&self) -> usize {
        F::OPS[1].flops(self.call.n, false)
    }

    fn tensors() -> Vec<(String, usize, usize)> {
        named_tensors::<F::Model>()
    }

    fn run<K: Kernels>(self, k: &mut K) {
        let [params, state] = owned::<F::Model>(Region::Params);
        let (offsets, Call { n, args, classes, results, block }) = (self.offsets, self.call);
        F::forward(
            k,
            Forward {
                n,
                offsets,
                want: Want::NOTHING,
                params,
                state,
                args,
                classes,
                results,
                saved: block,
                new_state: self.new_state,
                scratch: block,
            },
        );
    }
}
