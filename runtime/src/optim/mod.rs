//! Optimizers, with PyTorch's defaults and numerics.
//!
//! | | |
//! |---|---|
//! | [`Sgd`] | gradient descent, with momentum if asked for |
//! | [`Adam`] | steps along the running mean of gradients, divided by their running root mean square |
//! | [`AdamW`] | the same, with a decay of the parameters themselves |
//! | [`Lion`] | steps of one length along the sign of the running mean of gradients |
//! | [`RMSprop`] | steps divided by the running root mean square of gradients |
//!
//! A step is one pass over the flat slices of parameters, gradients and state. Every element is
//! computed in `f32` in the order of `torch.optim`'s single-tensor code (with
//! `foreach=False, fused=False`), without fused multiply-add, so that results have the same bits on
//! every machine; scalars such as bias corrections are computed in `f64` and rounded once. A
//! gradient whose square leaves the range of `f32`, above 1e20 or so, makes the mean square of
//! [`Adam`], [`AdamW`] or [`RMSprop`] infinite, and its parameter stands still from then on, as in
//! PyTorch; `clip_norm` keeps gradients below.
//!
//! All of them take parameters by name, as [`Model::select`] does: groups with a learning rate or a
//! weight decay of their own, and what is frozen. `docs/language.md` has an example.
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
mod grads;
mod groups;
mod lion;
mod norm;
mod pass;
mod rmsprop;
mod settings;
mod sgd;
mod state;

/// All optimizers: what the prelude has of them.
pub(crate) mod each {
    pub use super::adam::{Adam, AdamW};
    pub use super::lion::Lion;
    pub use super::rmsprop::RMSprop;
    pub use super::sgd::Sgd;
}
pub use each::*;

pub use grads::{Grads, GradsMut};
pub use groups::{Group, GroupError};
pub(crate) use norm::squares;
pub use state::StateError;

use std::ops::Range;

use grads::Source;
use groups::Row;
use settings::{Settings, by_groups, settings};
use state::{Buffer, state};

use crate::module::Model;
use crate::storage::Storage;

/// What changes the parameters of an `M` along its gradients.
///
/// An optimizer of one's own says how parameters change along gradients, both of which are flat
/// slices in the same order, and has a learning rate; `step` and the `…_train` methods of models do
/// the rest. It may be for any model, and read what it needs by name:
///
/// ```
/// use gradiron::module::{Model, Selection};
/// use gradiron::optim::{Grads, HyperParamError, Optimizer};
/// use gradiron::prelude::*;
///
/// /// Steps along the sign of the gradient, and none for biases.
/// struct SignSgd<M> {
///     lr: f32,
///     weights: Selection<M>,
/// }
///
/// impl<M: Model> Optimizer<M> for SignSgd<M> {
///     fn update(&mut self, net: &mut M, grads: Grads<'_, M>) {
///         let grads = grads.as_slice();
///         let params = net.params_mut();
///         for spec in self.weights.specs() {
///             let range = spec.start..spec.start + spec.len();
///             for (p, g) in params[range.clone()].iter_mut().zip(&grads[range]) {
///                 *p -= if *g == 0.0 { 0.0 } else { self.lr.copysign(*g) };
///             }
///         }
///     }
///
///     fn learning_rate(&self) -> f32 {
///         self.lr
///     }
///
///     fn set_learning_rate(&mut self, lr: f32) -> Result<(), HyperParamError> {
///         if !(lr.is_finite() && lr >= 0.0) {
///             return Err(HyperParamError {
///                 optimizer: "SignSgd",
///                 name: "lr",
///                 expected: "finite and at least 0",
///                 found: f64::from(lr),
///             });
///         }
///         self.lr = lr;
///         Ok(())
///     }
/// }
///
/// model! {
///     struct Line {
///         line: Linear(1 -> 1),
///     }
///
///     fn loss(&self, x: [batch, 1], y: [batch, 1]) -> [] {
///         mse_loss(self.line(x), y)
///     }
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let mut net = Line::init(Seed(0));
///     let mut ws = Line::workspace(2)?;
///     let mut sign = SignSgd { lr: 0.25, weights: Line::selection(Kind::Weights)? };
///     let (weight, bias) = (net.line().weight()[0][0], net.line().bias()[0]);
///     net.loss_grad(&mut ws, &[[1.0], [2.0]], &[[30.0], [60.0]])?;
///     sign.step(&mut net, ws.grads());
///     net.loss_train(&mut ws, &mut sign, &[[1.0], [2.0]], &[[30.0], [60.0]])?;
///     assert_eq!(net.line().weight()[0][0], weight + 0.25 + 0.25);
///     assert_eq!(net.line().bias()[0], bias);
///     assert!(sign.set_learning_rate(f32::NAN).is_err());
///     Ok(())
/// }
/// ```
///
/// On a GPU, reading gradients and parameters brings them to the host, and parameters that were
/// changed there go back with the next call. What the optimizers of this library do there is a
/// function in the language of the GPU.
pub trait Optimizer<M: Model> {
    /// Changes the parameters along their gradients, and nothing else of `net`.
    fn update(&mut self, net: &mut M, grads: Grads<'_, M>);

    /// One step: the parameters change along their gradients, and the state becomes the one that
    /// the same pass made ([`Model::update_state`]). Allocates nothing and cannot fail on the CPU.
    /// On a GPU it is started; what goes wrong is told by the next call that returns a `Result`.
    ///
    /// # Panics
    ///
    /// When no call has made gradients since the last step along those of this workspace. A second
    /// step along them is a mistake, unless it is said: [`Grads::again`].
    #[track_caller]
    fn step(&mut self, net: &mut M, grads: Grads<'_, M>) {
        grads.take();
        self.update(net, grads);
        self.take_state(net, grads);
    }

    /// Takes over the state that the pass of these gradients made, as a step does, but for what is
    /// [`still`](Self::still).
    fn take_state(&self, net: &mut M, grads: Grads<'_, M>) {
        match self.still() {
            [] => net.update_state(grads),
            still => grads.renew_state(net, still),
        }
    }

    /// Ranges of the state that a step leaves as they are, in their order: the running statistics
    /// of layers that are frozen. None, unless an optimizer says otherwise.
    fn still(&self) -> &[Range<usize>] {
        &[]
    }

    /// Whether an update reads neither gradients nor parameters by itself but asks the device for
    /// it, so that it may be asked before the gradients are there.
    #[doc(hidden)]
    fn defers(&self) -> bool {
        false
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

impl<M: Model, O: Optimizer<M> + ?Sized> Optimizer<M> for Box<O> {
    fn update(&mut self, net: &mut M, grads: Grads<'_, M>) {
        (**self).update(net, grads);
    }

    fn step(&mut self, net: &mut M, grads: Grads<'_, M>) {
        (**self).step(net, grads);
    }

    fn still(&self) -> &[Range<usize>] {
        (**self).still()
    }

    fn defers(&self) -> bool {
        (**self).defers()
    }

    fn learning_rate(&self) -> f32 {
        (**self).learning_rate()
    }

    fn set_learning_rate(&mut self, lr: f32) -> Result<(), HyperParamError> {
        (**self).set_learning_rate(lr)
    }
}

/// A hyper-parameter out of its range, or state of an optimizer for which there is no memory:
/// `name` is `state` then, and `found` the bytes of a buffer.
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
        if name == STATE {
            return write!(
                f,
                "{optimizer}: expected memory for a buffer of {found} bytes, as many as the parameters \
                 have, and there is not as much; free some, or take an optimizer that keeps less"
            );
        }
        write!(f, "{optimizer}: expected {name} to be {expected}, found ")?;
        // What was an f32 is shown in the digits of an f32.
        let short = found as f32;
        if f64::from(short) == found { write!(f, "{short}") } else { write!(f, "{found}") }
    }
}

impl std::error::Error for HyperParamError {}

/// What an error names where memory for state is missing.
const STATE: &str = "state";

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

    /// A buffer of state.
    fn buffer(self, floats: usize) -> Result<Storage, HyperParamError> {
        let found = floats as f64 * size_of::<f32>() as f64;
        let error =
            HyperParamError { optimizer: self.0, name: STATE, expected: "in memory", found };
        Storage::try_zeros(floats).ok_or(error)
    }

    /// The same where a method returns no error.
    ///
    /// # Panics
    /// When there is no memory for it.
    fn buffer_or_panic(self, floats: usize) -> Storage {
        match self.buffer(floats) {
            Ok(buffer) => buffer,
            Err(error) => panic!("gradiron: {error}"),
        }
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

    /// For the parameters of a group.
    fn of(self, row: &Row) -> Self {
        let weight_decay = row.weight_decay(f64::from(self.weight_decay)) as f32;
        Self { weight_decay, ..self }
    }

    fn maximize(&mut self, maximize: bool) {
        self.sign = if maximize { -1.0 } else { 1.0 };
    }

    fn scalars(self) -> [f32; 2] {
        [self.sign, self.weight_decay]
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

    fn scalars(self) -> [f32; 2] {
        [self.weight, if self.near_start { 1.0 } else { 0.0 }]
    }

    #[inline(always)]
    fn between(self, from: f32, to: f32) -> f32 {
        let nearer = if self.near_start { from } else { to };
        nearer + self.weight * (to - from)
    }
}

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
