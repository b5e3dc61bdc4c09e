//! Stochastic gradient descent.
//!
//! ```text
//! g ← ±g + weight_decay · p
//! b ← g                                     at the first step
//! b ← momentum · b + (1 - dampening) · g    afterwards
//! g ← g + momentum · b                      with nesterov
//! g ← b                                     without
//! p ← p - lr · g
//! ```
//!
//! The three lines in the middle are there only with momentum. Sutskever, Martens, Dahl and
//! Hinton, "On the importance of initialization and momentum in deep learning" (ICML 2013), in
//! the form of `torch.optim.SGD`, where the learning rate multiplies the velocity.

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
const CUDA: &str = include_str!("sgd.cu");

const CHECK: Check = Check("Sgd");

/// `torch.optim.SGD`: stochastic gradient descent, with momentum if asked for.
///
/// Defaults: momentum 0, dampening 0, no Nesterov momentum, weight decay 0. Momentum keeps one
/// buffer of the size of the parameters.
#[doc(alias = "SGD")]
pub struct Sgd<M> {
    /// The number of parameters.
    len: usize,
    lr: f32,
    momentum: f64,
    dampening: f64,
    nesterov: bool,
    regularizer: Regularizer,
    settings: Settings,
    /// There with momentum.
    buffer: Option<Storage>,
    model: PhantomData<fn(&mut M)>,
}

clone_and_debug!(Sgd { len, lr, momentum, dampening, nesterov, regularizer, settings, buffer });

impl<M: Model> Sgd<M> {
    /// Steps of `lr` times the gradient.
    ///
    /// # Errors
    ///
    /// `lr` must be finite and at least 0.
    pub fn new(net: &M, lr: f32) -> Result<Self, HyperParamError> {
        Ok(Self {
            len: net.params().len(),
            lr: CHECK.learning_rate(lr)?,
            momentum: 0.0,
            dampening: 0.0,
            nesterov: false,
            regularizer: Regularizer::NONE,
            settings: Settings::of::<M>(),
            buffer: None,
            model: PhantomData,
        })
    }

    /// The factor of the velocity from one step to the next, 0.9 for instance. Allocates the
    /// buffer.
    ///
    /// # Errors
    ///
    /// `momentum` must be finite and at least 0, and above 0 with Nesterov momentum; there must be
    /// memory for its buffer.
    pub fn momentum(mut self, momentum: f64) -> Result<Self, HyperParamError> {
        self.momentum = CHECK.not_negative("momentum", momentum)?;
        self.buffer = (momentum != 0.0).then(|| CHECK.buffer(self.len)).transpose()?;
        self.settings.restart();
        self.check_nesterov()
    }

    /// How much less than the whole gradient enters the velocity.
    ///
    /// # Errors
    ///
    /// `dampening` must be finite, and 0 with Nesterov momentum.
    pub fn dampening(mut self, dampening: f64) -> Result<Self, HyperParamError> {
        let holds = (dampening as f32).is_finite();
        self.dampening = CHECK.that(holds, "dampening", "finite", dampening)?;
        self.check_nesterov()
    }

    /// Whether to step along the gradient at the place to which the velocity leads. Goes after
    /// [`momentum`](Self::momentum), which it needs.
    ///
    /// # Errors
    ///
    /// Nesterov momentum needs a momentum above 0 and a dampening of 0.
    pub fn nesterov(mut self, nesterov: bool) -> Result<Self, HyperParamError> {
        self.nesterov = nesterov;
        self.check_nesterov()
    }

    /// The factor of `p` that is added to the gradient: an L2 penalty of half that factor.
    ///
    /// # Errors
    ///
    /// `weight_decay` must be finite and at least 0.
    pub fn weight_decay(mut self, weight_decay: f64) -> Result<Self, HyperParamError> {
        let weight_decay = CHECK.not_negative("weight_decay", weight_decay)?;
        self.regularizer.weight_decay = weight_decay as f32;
        Ok(self)
    }

    settings!(CHECK, settings);
    state!(CHECK, [settings], "momentum_buffer": buffer);

    /// Whether to step up the gradient instead of down.
    pub fn maximize(mut self, maximize: bool) -> Self {
        self.regularizer.maximize(maximize);
        self
    }

    fn check_nesterov(self) -> Result<Self, HyperParamError> {
        if self.nesterov {
            let expected = "above 0 before nesterov(true)";
            CHECK.that(self.momentum > 0.0, "momentum", expected, self.momentum)?;
            let expected = "0 with nesterov(true)";
            CHECK.that(self.dampening == 0.0, "dampening", expected, self.dampening)?;
        }
        Ok(self)
    }
}

impl<M: Model> Optimizer<M> for Sgd<M> {
    fn update(&mut self, net: &mut M, grads: Grads<'_, M>) {
        self.settings.step(grads.absent);
        let Self { regularizer, lr, momentum, dampening, nesterov, .. } = *self;
        let descend =
            |row: &Row| Descend { regularizer: regularizer.of(row), down: -row.learning_rate(lr) };
        let Some(buffer) = &mut self.buffer else {
            return pass::step(CHECK.0, net, grads, [], descend, &self.settings);
        };
        let steps = self.settings.steps;
        let update = |row: &Row| Momentum {
            descend: descend(row),
            momentum: momentum as f32,
            // The buffer starts as zeros, so the first step adds the whole gradient to it.
            fresh: if row.steps(steps) > 1 { (1.0 - dampening) as f32 } else { 1.0 },
            nesterov,
        };
        pass::step(CHECK.0, net, grads, [buffer], update, &self.settings);
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

#[derive(Clone, Copy)]
struct Descend {
    regularizer: Regularizer,
    down: f32,
}

impl Update<0> for Descend {
    apart!(0);

    const FLOPS: usize = 2;
    const REMOTE: RemoteFunction = RemoteFunction { name: "descend", cuda: CUDA };

    fn scalars(self) -> [f32; SCALARS] {
        let [sign, decay] = self.regularizer.scalars();
        pass::scalars([sign, decay, self.down])
    }

    #[inline(always)]
    fn element(self, p: f32, g: f32, []: [f32; 0]) -> (f32, [f32; 0]) {
        (p + self.down * self.regularizer.apply(p, g), [])
    }
}

#[derive(Clone, Copy)]
struct Momentum {
    descend: Descend,
    momentum: f32,
    fresh: f32,
    nesterov: bool,
}

impl Update<1> for Momentum {
    apart!(1);

    const FLOPS: usize = 5;
    const REMOTE: RemoteFunction = RemoteFunction { name: "momentum", cuda: CUDA };

    fn scalars(self) -> [f32; SCALARS] {
        let Self { descend: Descend { regularizer, down }, momentum, fresh, nesterov } = self;
        let ([sign, decay], nesterov) = (regularizer.scalars(), if nesterov { 1.0 } else { 0.0 });
        pass::scalars([sign, decay, down, momentum, fresh, nesterov])
    }

    #[inline(always)]
    fn element(self, p: f32, g: f32, [b]: [f32; 1]) -> (f32, [f32; 1]) {
        let g = self.descend.regularizer.apply(p, g);
        let b = b * self.momentum + self.fresh * g;
        let g = if self.nesterov { g + self.momentum * b } else { b };
        (p + self.descend.down * g, [b])
    }
}
