//! Optimizers: [`Sgd`], [`Adam`], [`AdamW`] and [`RMSprop`], with PyTorch's defaults and
//! numerics.
//!
//! A step is one pass over the flat slices of parameters, gradients and state. Every element is
//! computed in `f32` in the order of `torch.optim`'s single-tensor code (with
//! `foreach=False, fused=False`), without fused multiply-add, so that results have the same bits
//! on every machine; scalars such as bias corrections are computed in `f64` and rounded once.
//!
//! Hyper-parameters are checked where they are given: `new` and the methods that take a number
//! return a [`HyperParamError`] that names the hyper-parameter. A step then has nothing left to
//! check; it allocates nothing and cannot fail.
//!
//! ```
//! use gradiron::module::Model;
//! use gradiron::optim::{Adam, HyperParamError};
//!
//! fn optimizer<M: Model>(net: &M) -> Result<Adam<M>, HyperParamError> {
//!     Adam::new(net, 1e-3)?.betas(0.9, 0.99)?.weight_decay(1e-4)
//! }
//! ```

mod adam;
mod decay;
mod norm;
mod pass;
mod rmsprop;
mod sgd;

pub use adam::{Adam, AdamW};
pub use rmsprop::RMSprop;
pub use sgd::Sgd;

use std::marker::PhantomData;

use decay::Decays;

use crate::device::Host;
use crate::module::Model;
use crate::profile::Profile;

/// The gradients of all parameters of an `M`, in the order of [`Model::params`], and the state
/// that the same pass made.
///
/// The type names the model, so the gradients of one network do not step another:
///
/// ```compile_fail,E0308
/// use gradiron::module::Model;
/// use gradiron::optim::{Adam, Grads, Optimizer};
///
/// fn mistake<A: Model, B: Model>(adam: &mut Adam<A>, net: &mut A, grads: Grads<'_, B>) {
///     adam.step(net, grads);
/// }
/// ```
pub struct Grads<'a, M> {
    grads: &'a [f32],
    state: &'a [f32],
    /// What a step multiplies the gradients by.
    scale: f32,
    /// What a step runs on; the calling thread alone where there is nothing.
    host: Option<Host<'a>>,
    /// Where a step is recorded.
    profile: Option<&'a Profile>,
    model: PhantomData<fn() -> M>,
}

impl<'a, M> Grads<'a, M> {
    #[doc(hidden)]
    pub const fn new(grads: &'a [f32], state: &'a [f32], host: Option<Host<'a>>) -> Self {
        Self { grads, state, scale: 1.0, host, profile: None, model: PhantomData }
    }

    pub(crate) const fn recorded(self, profile: Option<&'a Profile>) -> Self {
        Self { profile, ..self }
    }

    /// The norm of all gradients together: the root of the sum of their squares. It has the same bits
    /// for any number of threads.
    pub fn norm(self) -> f32 {
        self.scale * norm::norm(self)
    }

    /// The same gradients for a step that is no longer than with gradients of the norm `max_norm`:
    /// they are multiplied by `max_norm / (norm + 1e-6)` where that is less than 1, as by PyTorch's
    /// `clip_grad_norm_`. It reads the gradients once, and the step multiplies them.
    ///
    /// ```
    /// # use gradiron::prelude::*;
    /// # model! {
    /// #     struct Net { fc: Linear(2 -> 1) }
    /// #     fn loss(&self, x: [batch, 2]) -> [] { self.fc(x).square().mean() }
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mut net = Net::init(Seed(0));
    /// # let mut ws = Net::workspace(4)?;
    /// # let mut adam = AdamW::new(&net, 1e-3)?;
    /// let loss = net.loss_grad(&mut ws, &[[1.0, 2.0]; 4])?;
    /// adam.step(&mut net, ws.grads().clip_norm(1.0)?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `max_norm` must be finite and at least 0.
    #[doc(alias = "clip_grad_norm_")]
    pub fn clip_norm(self, max_norm: f32) -> Result<Self, HyperParamError> {
        Check("clip_norm").not_negative("max_norm", f64::from(max_norm))?;
        let factor = max_norm / (self.norm() + 1e-6);
        // NaN stays, as gradients that are no numbers do.
        Ok(if factor >= 1.0 { self } else { Self { scale: self.scale * factor, ..self } })
    }

    /// The gradients, in the order of [`Model::params`]; without the factor of
    /// [`clip_norm`](Self::clip_norm).
    pub const fn as_slice(&self) -> &'a [f32] {
        self.grads
    }

    /// The new state, in the order of [`Model::state`]; nothing when no pass has made one.
    pub const fn state(&self) -> &'a [f32] {
        self.state
    }
}

impl<M> Clone for Grads<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Grads<'_, M> {}

impl<M> std::fmt::Debug for Grads<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Grads({} floats)", self.grads.len())
    }
}

/// What changes the parameters of an `M` along its gradients.
pub trait Optimizer<M: Model> {
    /// Changes the parameters along their gradients, and nothing else of `net`.
    fn update(&mut self, net: &mut M, grads: Grads<'_, M>);

    /// One step: the parameters change along their gradients, and the state becomes the one that
    /// the same pass made ([`Model::update_state`]). Allocates nothing and cannot fail.
    fn step(&mut self, net: &mut M, grads: Grads<'_, M>) {
        self.update(net, grads);
        net.update_state(grads);
    }

    /// The learning rate of the next step.
    fn learning_rate(&self) -> f32;

    /// Changes the learning rate from the next step on.
    ///
    /// # Errors
    ///
    /// A negative, infinite or NaN rate is refused, and the rate stays as it was.
    fn set_learning_rate(&mut self, lr: f32) -> Result<(), HyperParamError>;
}

/// A hyper-parameter out of its range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HyperParamError {
    /// The optimizer, `Adam`.
    pub optimizer: &'static str,
    /// PyTorch's name, `betas[0]`.
    pub name: &'static str,
    /// What would be right.
    pub expected: &'static str,
    /// The value that was given.
    pub found: f64,
}

impl std::fmt::Display for HyperParamError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { optimizer, name, expected, found } = *self;
        write!(f, "{optimizer}: expected {name} to be {expected}, found ")?;
        // What was an f32 is shown in the digits of an f32.
        let short = found as f32;
        if f64::from(short) == found { write!(f, "{short}") } else { write!(f, "{found}") }
    }
}

impl std::error::Error for HyperParamError {}

/// The checks of one optimizer's hyper-parameters.
#[derive(Clone, Copy)]
struct Check(&'static str);

impl Check {
    fn that(
        self,
        holds: bool,
        name: &'static str,
        expected: &'static str,
        found: f64,
    ) -> Result<f64, HyperParamError> {
        let error = HyperParamError { optimizer: self.0, name, expected, found };
        if holds { Ok(found) } else { Err(error) }
    }

    /// Finite as an `f32`, and not negative.
    fn not_negative(self, name: &'static str, value: f64) -> Result<f64, HyperParamError> {
        let holds = value >= 0.0 && (value as f32).is_finite();
        self.that(holds, name, "finite and at least 0", value)
    }

    fn decay_rate(self, name: &'static str, value: f64) -> Result<f64, HyperParamError> {
        self.that((0.0..1.0).contains(&value), name, "at least 0 and below 1", value)
    }

    fn learning_rate(self, lr: f32) -> Result<f32, HyperParamError> {
        self.not_negative("lr", f64::from(lr)).map(|_| lr)
    }
}

/// What the step of every optimizer does first: `g ← ±g`, then `g ← g + weight_decay · p`.
#[derive(Clone, Copy, Debug)]
struct Regularizer {
    /// -1 to maximize.
    sign: f32,
    weight_decay: f32,
}

impl Regularizer {
    const NONE: Self = Self { sign: 1.0, weight_decay: 0.0 };

    /// For parameters that decay, and for the others.
    fn both(self) -> [Self; 2] {
        [self, Self { weight_decay: 0.0, ..self }]
    }

    fn maximize(&mut self, maximize: bool) {
        self.sign = if maximize { -1.0 } else { 1.0 };
    }

    #[inline(always)]
    fn apply(self, param: f32, grad: f32) -> f32 {
        let grad = self.sign * grad;
        if self.weight_decay != 0.0 { grad + self.weight_decay * param } else { grad }
    }
}

/// `torch.lerp` of `f32`s: `from + weight · (to - from)`, from the nearer end.
#[derive(Clone, Copy)]
struct Lerp {
    /// Negative from the far end.
    weight: f32,
    near_start: bool,
}

impl Lerp {
    fn new(weight: f64) -> Self {
        let weight = weight as f32;
        let near_start = weight < 0.5;
        Self { weight: if near_start { weight } else { weight - 1.0 }, near_start }
    }

    #[inline(always)]
    fn between(self, from: f32, to: f32) -> f32 {
        let nearer = if self.near_start { from } else { to };
        nearer + self.weight * (to - from)
    }
}

/// The method that chooses the parameters that decay.
macro_rules! decay_only {
    ($($decays:ident).+) => {
        /// Weight decay for the parameters that `decays` says yes to, and for no others, as with
        /// PyTorch's parameter groups: of weights but not of biases and norms with
        /// `decay_only(|param| param.shape.len() >= 2)`.
        pub fn decay_only(mut self, decays: impl Fn(&crate::module::ParamSpec) -> bool) -> Self {
            self.$($decays).+ = super::Decays::only::<M>(decays);
            self
        }
    };
}
use decay_only;

/// `Clone` and `Debug` without asking them of the model.
macro_rules! clone_and_debug {
    ($name:ident { $($field:ident),* }) => {
        impl<M> Clone for $name<M> {
            fn clone(&self) -> Self {
                Self { $($field: self.$field.clone(),)* model: PhantomData }
            }
        }

        impl<M> std::fmt::Debug for $name<M> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($field), &self.$field))*
                    .finish()
            }
        }
    };
}
use clone_and_debug;
