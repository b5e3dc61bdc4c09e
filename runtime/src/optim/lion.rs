//! Lion.
//!
//! ```text
//! g ← ±g
//! c ← beta1 · m + (1 - beta1) · g
//! p ← (1 - lr · weight_decay) · p - lr · sign(c)
//! m ← beta2 · m + (1 - beta2) · g
//! ```
//!
//! Chen et al., "Symbolic discovery of optimization algorithms" (NeurIPS 2023, arXiv:2302.06675),
//! algorithm 2, where the decay is `lr · weight_decay · p` too. The sign of 0 is 0.

use std::marker::PhantomData;

use super::pass::{self, Update, apart};
use super::{
    Buffer, Check, Grads, HyperParamError, Optimizer, Regularizer, Row, Settings, by_groups,
    clone_and_debug, settings, state,
};
use crate::device::{RemoteFunction, SCALARS};
use crate::module::Model;
use crate::storage::Storage;

/// The update as a GPU computes it.
const CUDA: &str = include_str!("lion.cu");

const CHECK: Check = Check("Lion");

/// Steps of one length in every parameter, along the sign of a running mean of the gradients.
/// PyTorch has no Lion; the names are those of its [`AdamW`](super::AdamW).
///
/// Defaults: betas 0.9 and 0.99, weight decay 0. Keeps one buffer of the size of the parameters.
pub struct Lion<M> {
    lr: f32,
    betas: (f64, f64),
    weight_decay: f64,
    regularizer: Regularizer,
    settings: Settings,
    exp_avg: Storage,
    model: PhantomData<fn(&mut M)>,
}

clone_and_debug!(Lion { lr, betas, weight_decay, regularizer, settings, exp_avg });

impl<M: Model> Lion<M> {
    /// Steps of `lr` in every parameter: the paper takes 3 to 10 times less than for AdamW, 1e-4
    /// for instance.
    ///
    /// # Errors
    ///
    /// `lr` must be finite and at least 0, and there must be memory for the buffer.
    pub fn new(net: &M, lr: f32) -> Result<Self, HyperParamError> {
        Ok(Self {
            lr: CHECK.learning_rate(lr)?,
            betas: (0.9, 0.99),
            weight_decay: 0.0,
            regularizer: Regularizer::NONE,
            settings: Settings::of::<M>(),
            exp_avg: CHECK.buffer(net.params().len())?,
            model: PhantomData,
        })
    }

    /// The share of the running mean in what gives the direction of a step, and in the next running
    /// mean.
    ///
    /// # Errors
    ///
    /// Both must be at least 0 and below 1.
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Result<Self, HyperParamError> {
        let beta1 = CHECK.decay_rate("betas[0]", beta1)?;
        self.betas = (beta1, CHECK.decay_rate("betas[1]", beta2)?);
        Ok(self)
    }

    /// The decay: every step multiplies the parameters by `1 - lr · weight_decay`.
    ///
    /// # Errors
    ///
    /// `weight_decay` must be finite and at least 0.
    pub fn weight_decay(mut self, weight_decay: f64) -> Result<Self, HyperParamError> {
        self.weight_decay = CHECK.not_negative("weight_decay", weight_decay)?;
        Ok(self)
    }

    settings!(CHECK, settings);
    state!(CHECK, [settings], "exp_avg": exp_avg);

    /// Whether to step up the gradient instead of down.
    pub fn maximize(mut self, maximize: bool) -> Self {
        self.regularizer.maximize(maximize);
        self
    }
}

impl<M: Model> Optimizer<M> for Lion<M> {
    fn update(&mut self, net: &mut M, grads: Grads<'_, M>) {
        self.settings.step(grads.absent);
        let (lr, decay, (beta1, beta2)) = (self.lr, self.weight_decay, self.betas);
        let regularizer = self.regularizer;
        let update = |row: &Row| {
            let lr = row.learning_rate(lr);
            Signed {
                regularizer,
                keep: (1.0 - f64::from(lr) * row.weight_decay(decay)) as f32,
                down: -lr,
                betas: [beta1 as f32, beta2 as f32],
                fresh: [(1.0 - beta1) as f32, (1.0 - beta2) as f32],
            }
        };
        pass::step(CHECK.0, net, grads, [&mut self.exp_avg], update, &self.settings);
    }

    by_groups!(settings);

    fn learning_rate(&self) -> f32 {
        self.lr
    }

    fn set_learning_rate(&mut self, lr: f32) -> Result<(), HyperParamError> {
        self.lr = CHECK.learning_rate(lr)?;
        Ok(())
    }
}

/// The scalars of a step: of the direction first, then of the running mean.
#[derive(Clone, Copy)]
struct Signed {
    regularizer: Regularizer,
    keep: f32,
    down: f32,
    betas: [f32; 2],
    fresh: [f32; 2],
}

impl Update<1> for Signed {
    apart!(1);

    const FLOPS: usize = 9;
    const REMOTE: RemoteFunction = RemoteFunction { name: "lion", cuda: CUDA };

    fn scalars(self) -> [f32; SCALARS] {
        let Self { keep, down, betas: [beta1, beta2], fresh: [fresh1, fresh2], .. } = self;
        let [sign, decay] = self.regularizer.scalars();
        pass::scalars([sign, decay, keep, down, beta1, fresh1, beta2, fresh2])
    }

    #[inline(always)]
    fn element(self, p: f32, g: f32, [m]: [f32; 1]) -> (f32, [f32; 1]) {
        let g = self.regularizer.apply(p, g);
        let c = self.betas[0] * m + self.fresh[0] * g;
        // 0 stays 0, and what is no number stays none.
        let sign = if c == 0.0 || c.is_nan() { c } else { 1.0_f32.copysign(c) };
        (p * self.keep + self.down * sign, [self.betas[1] * m + self.fresh[1] * g])
    }
}
