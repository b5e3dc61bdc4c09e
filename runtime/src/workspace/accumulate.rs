//! The gradients of several batches, as those of one.

use std::sync::atomic::Ordering;

use super::{Program, Workspace};
use crate::device::{Buf, Device, DeviceError, Kernels, Random, Region, Run, RunKey, RunMemory};
use crate::math::Arith;
use crate::module::Model;
use crate::ops::elementwise::blocks::{Blocks, Link, Operand};
use crate::ops::elementwise::functions::on_blocks;
use crate::ops::elementwise::{Elementwise, functions};
use crate::optim::Optimizer;
use crate::profile::Phase;

/// The mean of the gradients since the last step.
pub(super) struct Accumulated<Memory> {
    mean: Memory,
    samples: f64,
    /// What these gradients leave out.
    absent: &'static [[usize; 2]],
}

impl<Memory> std::fmt::Debug for Accumulated<Memory> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Accumulated(of {} samples)", self.samples)
    }
}

impl<M: Program, D: Device> Workspace<M, D> {
    /// Makes the gradients of the last call those of all batches since the last step, so that many
    /// small batches are as one that is too large for memory: `ws.grads()` are the mean, each batch
    /// weighted by its `samples`, so that a smaller last one counts as much as it has. The state
    /// that the call made is taken over, as by a step of `optimizer`: running statistics move with
    /// each batch, as in PyTorch.
    ///
    /// After a step along the mean the next gradients are the first of another one.
    ///
    /// ```
    /// use gradiron::prelude::*;
    ///
    /// model! {
    ///     struct Line { line: Linear(1 -> 1) }
    ///     fn loss(&self, x: [batch, 1], y: [batch, 1]) -> [] { mse_loss(self.line(x), y) }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut net = Line::init(Seed(0));
    /// let mut ws = Line::workspace(4)?;
    /// let mut sgd = Sgd::new(&net, 0.1)?;
    /// let (x, y) = ([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]], [[0.5]; 6]);
    /// // Six samples, of which four fit.
    /// for (x, y) in x.chunks(4).zip(y.chunks(4)) {
    ///     net.loss_grad(&mut ws, x, y)?;
    ///     ws.accumulate(&mut net, &sgd, x.len())?;
    /// }
    /// assert_eq!(ws.accumulated(), 6);
    /// sgd.step(&mut net, ws.grads());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// It is for losses that are means over their samples, as all are by default. The mean takes as
    /// much memory as the gradients, on the device, from the first such call on.
    ///
    /// # Errors
    /// When the device fails, or has no room for the mean.
    ///
    /// # Panics
    /// When these gradients were stepped along or added already, when there are no samples, or when
    /// the batches before are of a loss that trains other parameters (`#[trains(…)]`).
    #[doc(alias = "gradient_accumulation")]
    #[track_caller]
    pub fn accumulate(
        &mut self,
        net: &mut M::Owner,
        optimizer: &impl Optimizer<M::Owner>,
        samples: usize,
    ) -> Result<(), DeviceError>
    where
        M::Owner: Model,
    {
        assert!(samples > 0, "gradiron: gradients of no samples have no weight in a mean");
        assert!(
            self.single && *self.fresh.get_mut(),
            "gradiron: there are no new gradients to add: no call has made any since the last one; \
             call `loss_grad`, not `loss`, before each `accumulate`"
        );
        self.intact()?;
        if self.sum.is_none() {
            let mean = self.device.allocate(M::PARAMS)?;
            self.sum = Some(Accumulated { mean, samples: 0.0, absent: &[] });
        }
        let fits = |sum: &Accumulated<_>| sum.samples == 0.0 || sum.absent == self.absent;
        assert!(
            self.sum.as_ref().is_some_and(fits),
            "gradiron: these gradients are of a loss that trains other parameters than that of the \
             batches before: make a step along those first, or forget them by `ws.zero_grad()`"
        );
        // Nothing is taken before all is known to be there.
        self.single = false;
        optimizer.take_state(net, self.grads());
        let known = self.sum.as_mut().expect("it was made above");
        let is_first = known.samples == 0.0;
        let all = known.samples + samples as f64;
        let share = [(samples as f64 / all) as f32];
        let memory = RunMemory {
            params: &self.none,
            grads: &mut self.grads,
            arena: &mut self.arena,
            cache: Some(&mut known.mean),
            prepared: None,
            random: Random::default(),
            inputs: &[&share],
            indices: &[],
        };
        let outcome = self.device.run(memory, Mean { params: M::PARAMS, is_first });
        (known.samples, known.absent) = (all, self.absent);
        self.outcome(outcome)
    }

    /// How many samples there are in the mean that [`accumulate`](Self::accumulate) makes; none
    /// behind a step along it.
    pub fn accumulated(&self) -> usize {
        let sum = self.sum.as_ref().filter(|_| self.fresh.load(Ordering::Relaxed));
        sum.map_or(0, |sum| sum.samples as usize)
    }

    /// Forgets the gradients, and those that were accumulated: a step needs new ones. Before each
    /// `…_grad` call it is not needed: they do not add to those before by themselves.
    pub fn zero_grad(&mut self) {
        (self.single, *self.fresh.get_mut()) = (false, false);
        self.begin_mean();
    }

    /// The next gradients are the first of a mean, unless those before wait for a step.
    pub(super) fn begin_mean(&mut self) {
        if let Some(sum) = self.sum.as_mut().filter(|_| !*self.fresh.get_mut()) {
            sum.samples = 0.0;
        }
    }
}

/// The run that moves the mean towards the gradients, and puts it in their place.
struct Mean {
    params: usize,
    /// Whether the gradients are all of it.
    is_first: bool,
}

impl Run for Mean {
    const MAY_BE_TINY: bool = false;
    const NAME: &'static str = "accumulate";
    const PHASE: Phase = Phase::Backward;

    fn key(&self) -> Option<RunKey> {
        let n = [self.params, usize::from(self.is_first), 1, 1];
        Some(RunKey { name: Self::NAME, n, want_inputs: false })
    }

    fn is_tiny(&self) -> bool {
        false
    }

    fn flops(&self) -> usize {
        3 * self.params
    }

    fn run<K: Kernels>(self, k: &mut K) {
        let len = self.params;
        let [mean, grads] = [Region::Cache, Region::Grads].map(|region| Buf::new(region, 0, len));
        if self.is_first {
            return k.copy(mean, grads);
        }
        let share = Buf::new(Region::Input(0), 0, 1);
        let inputs = [(mean, [true]), (grads, [true]), (share, [false])];
        k.map::<Lerp, _, _, _, _>([mean, grads], inputs, [len], []);
    }
}

/// `x0 + x2 · (x1 − x0)`, twice.
struct Lerp;

impl Elementwise<3, 2, 0> for Lerp {
    const TEXT: &'static str = "t0 = sub(x1, x0); t1 = mul_add(t0, x2, x0); t1, t1";
    const BLOCKS: Option<Blocks> = Blocks::new(
        cfg!(debug_assertions),
        &[
            Link(on_blocks::sub, &[Operand::X(1), Operand::X(0)]),
            Link(on_blocks::mul_add, &[Operand::T(0), Operand::X(2), Operand::X(0)]),
        ],
        &[1, 1],
    );

    #[inline(always)]
    fn eval<A: Arith>([x0, x1, x2]: [f32; 3], []: [f32; 0]) -> [f32; 2] {
        let t0 = functions::sub::<A>(x1, x0);
        let t1 = functions::mul_add::<A>(t0, x2, x0);
        [t1, t1]
    }
}
