//! RMSprop.
//!
//! ```text
//! g ← ±g + weight_decay · p
//! v ← alpha · v + (1 - alpha) · g²
//! v ← alpha · (v + (1 - alpha) · (g - a)²)  instead, when centered
//! a ← a + (1 - alpha) · (g - a)             behind it, when centered
//! d ← √v + eps
//! b ← momentum · b + g / d,  p ← p - lr · b with momentum
//! p ← p - lr · g / d                        without
//! ```
//!
//! Tieleman and Hinton, "Neural networks for machine learning", lecture 6.5 (Coursera, 2012);
//! centered: Graves, "Generating sequences with recurrent neural networks" (arXiv:1308.0850,
//! 2013). `eps` is outside of the root, as in `torch.optim.RMSprop`.
//!
//! When centered, `v` is the running mean of squares less the square of the running mean `a`, which
//! PyTorch takes apart as `v - a²`: in floats that is noise, and negative half of the time, where
//! gradients hardly vary. By the definitions of both means it is the line above, which is never
//! negative and where nothing cancels:
//!
//! ```text
//! alpha · v + (1 - alpha) · g² - (alpha · a + (1 - alpha) · g)²
//!     = alpha · (v - a²) + alpha · (1 - alpha) · (g - a)²
//! ```

use std::marker::PhantomData;

use super::pass::{self, Update, apart};
use super::{
    Buffer, Check, Grads, HyperParamError, Lerp, Optimizer, Regularizer, Row, Settings, by_groups,
    clone_and_debug, settings, state,
};
use crate::device::{RemoteFunction, SCALARS};
use crate::module::Model;
use crate::storage::Storage;

/// The update as a GPU computes it.
const CUDA: &str = include_str!("rmsprop.cu");

const CHECK: Check = Check("RMSprop");

/// `torch.optim.RMSprop`: steps divided by a running root mean square of the gradients.
///
/// Defaults: alpha 0.99, eps 1e-8, weight decay 0, momentum 0, not centered. Keeps one buffer of
/// the size of the parameters, one more with momentum and one more when centered.
#[doc(alias = "RmsProp")]
pub struct RMSprop<M> {
    /// The number of parameters.
    len: usize,
    lr: f32,
    alpha: f64,
    eps: f32,
    momentum: f32,
    regularizer: Regularizer,
    settings: Settings,
    square_avg: Storage,
    /// There when centered.
    grad_avg: Option<Storage>,
    /// There with momentum.
    buffer: Option<Storage>,
    model: PhantomData<fn(&mut M)>,
}

clone_and_debug!(RMSprop {
    len,
    lr,
    alpha,
    eps,
    momentum,
    regularizer,
    settings,
    square_avg,
    grad_avg,
    buffer
});

impl<M: Model> RMSprop<M> {
    /// Steps of `lr` (PyTorch's default is 1e-2) times the normalised gradient.
    ///
    /// # Errors
    ///
    /// `lr` must be finite and at least 0.
    pub fn new(net: &M, lr: f32) -> Result<Self, HyperParamError> {
        let len = net.params().len();
        Ok(Self {
            len,
            lr: CHECK.learning_rate(lr)?,
            alpha: 0.99,
            eps: 1e-8,
            momentum: 0.0,
            regularizer: Regularizer::NONE,
            settings: Settings::of::<M>(),
            square_avg: CHECK.buffer(len)?,
            grad_avg: None,
            buffer: None,
            model: PhantomData,
        })
    }

    /// The factor of the running mean of squares from one step to the next.
    ///
    /// # Errors
    ///
    /// `alpha` must be at least 0 and below 1.
    pub fn alpha(mut self, alpha: f64) -> Result<Self, HyperParamError> {
        self.alpha = CHECK.decay_rate("alpha", alpha)?;
        Ok(self)
    }

    /// What is added to the root, so that small gradients do not make large steps.
    ///
    /// # Errors
    ///
    /// `eps` must be finite and at least 0.
    pub fn eps(mut self, eps: f64) -> Result<Self, HyperParamError> {
        self.eps = CHECK.not_negative("eps", eps)? as f32;
        Ok(self)
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
    state!(
        CHECK, [settings],
        "square_avg": square_avg,
        "grad_avg": grad_avg,
        "momentum_buffer": buffer
    );

    /// The factor of the velocity from one step to the next. Allocates the buffer.
    ///
    /// # Errors
    ///
    /// `momentum` must be finite and at least 0, and there must be memory for its buffer.
    pub fn momentum(mut self, momentum: f64) -> Result<Self, HyperParamError> {
        self.momentum = CHECK.not_negative("momentum", momentum)? as f32;
        self.buffer = (momentum != 0.0).then(|| CHECK.buffer(self.len)).transpose()?;
        Ok(self)
    }

    /// Whether to divide by an estimate of the standard deviation instead: the running mean of
    /// the gradients is taken out. Allocates its buffer.
    ///
    /// # Panics
    ///
    /// When there is no memory for the buffer.
    pub fn centered(mut self, centered: bool) -> Self {
        self.grad_avg = centered.then(|| CHECK.buffer_or_panic(self.len));
        self
    }

    /// Whether to step up the gradient instead of down.
    pub fn maximize(mut self, maximize: bool) -> Self {
        self.regularizer.maximize(maximize);
        self
    }
}

impl<M: Model> Optimizer<M> for RMSprop<M> {
    fn update(&mut self, net: &mut M, grads: Grads<'_, M>) {
        self.settings.step(grads.absent);
        let Self { regularizer, lr, alpha, eps, momentum, .. } = *self;
        let factors = |row: &Row| Factors {
            regularizer: regularizer.of(row),
            down: -row.learning_rate(lr),
            alpha: alpha as f32,
            fresh: (1.0 - alpha) as f32,
            lerp: Lerp::new(1.0 - alpha),
            eps,
            momentum,
        };
        let (v, settings) = (&mut self.square_avg, &self.settings);
        match (&mut self.grad_avg, &mut self.buffer) {
            (None, None) => {
                pass::step(CHECK.0, net, grads, [v], |row| Plain(factors(row)), settings)
            }
            (None, Some(b)) => {
                pass::step(CHECK.0, net, grads, [v, b], |row| Moving(factors(row)), settings)
            }
            (Some(a), None) => {
                pass::step(CHECK.0, net, grads, [v, a], |row| Centered(factors(row)), settings)
            }
            (Some(a), Some(b)) => pass::step(
                CHECK.0,
                net,
                grads,
                [v, a, b],
                |row| CenteredMoving(factors(row)),
                settings,
            ),
        }
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

/// The scalars of a step.
#[derive(Clone, Copy)]
struct Factors {
    regularizer: Regularizer,
    down: f32,
    alpha: f32,
    fresh: f32,
    lerp: Lerp,
    eps: f32,
    momentum: f32,
}

impl Factors {
    fn scalars(self) -> [f32; SCALARS] {
        let Self { down, alpha, fresh, eps, momentum, .. } = self;
        let ([sign, decay], [weight, near]) = (self.regularizer.scalars(), self.lerp.scalars());
        pass::scalars([sign, decay, down, alpha, fresh, weight, near, eps, momentum])
    }

    /// The running mean of squares, with `g` in it.
    #[inline(always)]
    fn square(self, v: f32, g: f32) -> f32 {
        v * self.alpha + self.fresh * g * g
    }

    /// The running variance around the running mean `a`, with `g` in both.
    #[inline(always)]
    fn center(self, v: f32, a: f32, g: f32) -> [f32; 2] {
        let away = g - a;
        [self.alpha * (v + self.fresh * away * away), self.lerp.between(a, g)]
    }

    #[inline(always)]
    fn descend(self, p: f32, g: f32, variance: f32) -> f32 {
        p + self.down * g / (variance.sqrt() + self.eps)
    }

    /// The velocity, and the parameter moved by it.
    #[inline(always)]
    fn glide(self, p: f32, g: f32, variance: f32, b: f32) -> (f32, f32) {
        let b = b * self.momentum + g / (variance.sqrt() + self.eps);
        (p + self.down * b, b)
    }
}

#[derive(Clone, Copy)]
struct Plain(Factors);

impl Update<1> for Plain {
    apart!(1);

    const FLOPS: usize = 9;
    const REMOTE: RemoteFunction = RemoteFunction { name: "rmsprop", cuda: CUDA };

    fn scalars(self) -> [f32; SCALARS] {
        self.0.scalars()
    }

    #[inline(always)]
    fn element(self, p: f32, g: f32, [v]: [f32; 1]) -> (f32, [f32; 1]) {
        let g = self.0.regularizer.apply(p, g);
        let v = self.0.square(v, g);
        (self.0.descend(p, g, v), [v])
    }
}

#[derive(Clone, Copy)]
struct Moving(Factors);

impl Update<2> for Moving {
    apart!(2);

    const FLOPS: usize = 11;
    const REMOTE: RemoteFunction = RemoteFunction { name: "rmsprop_momentum", cuda: CUDA };

    fn scalars(self) -> [f32; SCALARS] {
        self.0.scalars()
    }

    #[inline(always)]
    fn element(self, p: f32, g: f32, [v, b]: [f32; 2]) -> (f32, [f32; 2]) {
        let g = self.0.regularizer.apply(p, g);
        let v = self.0.square(v, g);
        let (p, b) = self.0.glide(p, g, v, b);
        (p, [v, b])
    }
}

#[derive(Clone, Copy)]
struct Centered(Factors);

impl Update<2> for Centered {
    apart!(2);

    const FLOPS: usize = 14;
    const REMOTE: RemoteFunction = RemoteFunction { name: "rmsprop_centered", cuda: CUDA };

    fn scalars(self) -> [f32; SCALARS] {
        self.0.scalars()
    }

    #[inline(always)]
    fn element(self, p: f32, g: f32, [v, a]: [f32; 2]) -> (f32, [f32; 2]) {
        let g = self.0.regularizer.apply(p, g);
        let [v, a] = self.0.center(v, a, g);
        (self.0.descend(p, g, v), [v, a])
    }
}

#[derive(Clone, Copy)]
struct CenteredMoving(Factors);

impl Update<3> for CenteredMoving {
    apart!(3);

    const FLOPS: usize = 16;
    const REMOTE: RemoteFunction = RemoteFunction { name: "rmsprop_centered_momentum", cuda: CUDA };

    fn scalars(self) -> [f32; SCALARS] {
        self.0.scalars()
    }

    #[inline(always)]
    fn element(self, p: f32, g: f32, [v, a, b]: [f32; 3]) -> (f32, [f32; 3]) {
        let g = self.0.regularizer.apply(p, g);
        let [v, a] = self.0.center(v, a, g);
        let (p, b) = self.0.glide(p, g, v, b);
        (p, [v, a, b])
    }
}
