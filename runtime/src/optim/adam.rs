//! Adam and AdamW.
//!
//! ```text
//! g ← ±g + weight_decay · p                 Adam
//! p ← (1 - lr · weight_decay) · p           AdamW
//! m ← m + (1 - beta1) · (g - m)
//! v ← beta2 · v + (1 - beta2) · g²
//! u ← max(u, v)                             with amsgrad, otherwise u = v
//! p ← p - lr / (1 - beta1ᵗ) · m / (√u / √(1 - beta2ᵗ) + eps)
//! ```
//!
//! at step `t` = 1, 2, … Kingma and Ba, "Adam: a method for stochastic optimization" (ICLR 2015);
//! AdamW: Loshchilov and Hutter, "Decoupled weight decay regularization" (ICLR 2019); amsgrad:
//! Reddi, Kale and Kumar, "On the convergence of Adam and beyond" (ICLR 2018).

use std::marker::PhantomData;

use super::pass::{self, Update, apart};
use super::{
    Buffer, Check, Grads, HyperParamError, Lerp, Optimizer, Regularizer, Row, Settings, by_groups,
    clone_and_debug, settings, state,
};
use crate::device::{RemoteFunction, SCALARS};
use crate::module::Model;
use crate::storage::Storage;

/// What Adam and AdamW have in common.
#[derive(Clone, Debug)]
struct Moments {
    /// The optimizer's.
    name: &'static str,
    lr: f32,
    betas: (f64, f64),
    eps: f32,
    /// Adam's weight decay is that of the gradients.
    regularizer: Regularizer,
    /// AdamW's is that of the parameters.
    decoupled_weight_decay: Option<f64>,
    settings: Settings,
    exp_avg: Storage,
    exp_avg_sq: Storage,
    /// There with amsgrad.
    max_exp_avg_sq: Option<Storage>,
}

impl Moments {
    fn new<M: Model>(check: Check, len: usize, lr: f32) -> Result<Self, HyperParamError> {
        Ok(Self {
            name: check.0,
            lr: check.learning_rate(lr)?,
            betas: (0.9, 0.999),
            eps: 1e-8,
            regularizer: Regularizer::NONE,
            decoupled_weight_decay: None,
            settings: Settings::of::<M>(),
            exp_avg: check.buffer(len)?,
            exp_avg_sq: check.buffer(len)?,
            max_exp_avg_sq: None,
        })
    }

    fn amsgrad(&mut self, amsgrad: bool) {
        let len = self.exp_avg_sq.as_slice().len();
        self.max_exp_avg_sq = amsgrad.then(|| Check(self.name).buffer_or_panic(len));
    }

    fn step<M: Model>(&mut self, net: &mut M, grads: Grads<'_, M>) {
        self.settings.step(grads.absent);
        let (all, lr, (beta1, beta2), eps) = (self.settings.steps, self.lr, self.betas, self.eps);
        let (regularizer, decoupled) = (self.regularizer, self.decoupled_weight_decay);
        let factors = |row: &Row| {
            let (t, lr) = (row.steps(all) as f64, f64::from(row.learning_rate(lr)));
            Factors {
                regularizer: if decoupled.is_some() { regularizer } else { regularizer.of(row) },
                keep: decoupled.map_or(1.0, |decay| (1.0 - lr * row.weight_decay(decay)) as f32),
                down: -(lr / (1.0 - beta1.powf(t))) as f32,
                bias_root: (1.0 - beta2.powf(t)).sqrt() as f32,
                lerp: Lerp::new(1.0 - beta1),
                beta2: beta2 as f32,
                fresh: (1.0 - beta2) as f32,
                eps,
            }
        };
        let (m, v) = (&mut self.exp_avg, &mut self.exp_avg_sq);
        match &mut self.max_exp_avg_sq {
            None => pass::step(self.name, net, grads, [m, v], factors, &self.settings),
            Some(u) => pass::step(self.name, net, grads, [m, v, u], factors, &self.settings),
        }
    }
}

/// The scalars of a step.
#[derive(Clone, Copy)]
struct Factors {
    regularizer: Regularizer,
    keep: f32,
    down: f32,
    bias_root: f32,
    lerp: Lerp,
    beta2: f32,
    fresh: f32,
    eps: f32,
}

impl Factors {
    /// The running means `m` and `v` with `g` in them; `p` decays.
    #[inline(always)]
    fn average(self, p: f32, g: f32, m: f32, v: f32) -> [f32; 3] {
        let g = self.regularizer.apply(p, g);
        [p * self.keep, self.lerp.between(m, g), v * self.beta2 + self.fresh * g * g]
    }

    #[inline(always)]
    fn descend(self, p: f32, m: f32, u: f32) -> f32 {
        p + self.down * m / (u.sqrt() / self.bias_root + self.eps)
    }
}

impl Factors {
    fn scalars(self) -> [f32; SCALARS] {
        let Self { keep, down, bias_root, beta2, fresh, eps, .. } = self;
        let ([sign, decay], [weight, near]) = (self.regularizer.scalars(), self.lerp.scalars());
        pass::scalars([sign, decay, keep, down, bias_root, weight, near, beta2, fresh, eps])
    }
}

impl Update<2> for Factors {
    apart!(2);

    const FLOPS: usize = 14;
    const REMOTE: RemoteFunction = RemoteFunction { name: "adam", cuda: CUDA };

    fn scalars(self) -> [f32; SCALARS] {
        self.scalars()
    }

    #[inline(always)]
    fn element(self, p: f32, g: f32, [m, v]: [f32; 2]) -> (f32, [f32; 2]) {
        let [p, m, v] = self.average(p, g, m, v);
        (self.descend(p, m, v), [m, v])
    }
}

impl Update<3> for Factors {
    apart!(3);

    const FLOPS: usize = 15;
    const REMOTE: RemoteFunction = RemoteFunction { name: "amsgrad", cuda: CUDA };

    fn scalars(self) -> [f32; SCALARS] {
        self.scalars()
    }

    #[inline(always)]
    fn element(self, p: f32, g: f32, [m, v, u]: [f32; 3]) -> (f32, [f32; 3]) {
        let [p, m, v] = self.average(p, g, m, v);
        let u = if v > u { v } else { u };
        (self.descend(p, m, u), [m, v, u])
    }
}

/// The methods that Adam and AdamW share.
macro_rules! adam {
    ($name:ident, $check:ident) => {
        clone_and_debug!($name { moments });

        impl<M: Model> $name<M> {
            /// The factors of the running means of gradients and of their squares from one step
            /// to the next.
            ///
            /// # Errors
            ///
            /// Both must be at least 0 and below 1.
            pub fn betas(mut self, beta1: f64, beta2: f64) -> Result<Self, HyperParamError> {
                let beta1 = $check.decay_rate("betas[0]", beta1)?;
                self.moments.betas = (beta1, $check.decay_rate("betas[1]", beta2)?);
                Ok(self)
            }

            /// What is added to the root, so that small gradients do not make large steps.
            ///
            /// # Errors
            ///
            /// `eps` must be finite and at least 0.
            pub fn eps(mut self, eps: f64) -> Result<Self, HyperParamError> {
                self.moments.eps = $check.not_negative("eps", eps)? as f32;
                Ok(self)
            }

            /// Whether to divide by the largest mean of squares so far. Allocates its buffer.
            ///
            /// # Panics
            ///
            /// When there is no memory for the buffer.
            pub fn amsgrad(mut self, amsgrad: bool) -> Self {
                self.moments.amsgrad(amsgrad);
                self
            }

            settings!($check, moments.settings);
            state!(
                $check, [moments.settings],
                "exp_avg": moments.exp_avg,
                "exp_avg_sq": moments.exp_avg_sq,
                "max_exp_avg_sq": moments.max_exp_avg_sq
            );

            /// Whether to step up the gradient instead of down.
            pub fn maximize(mut self, maximize: bool) -> Self {
                self.moments.regularizer.maximize(maximize);
                self
            }
        }

        impl<M: Model> Optimizer<M> for $name<M> {
            fn update(&mut self, net: &mut M, grads: Grads<'_, M>) {
                self.moments.step(net, grads);
            }

            by_groups!(moments.settings);

            fn learning_rate(&self) -> f32 {
                self.moments.lr
            }

            fn set_learning_rate(&mut self, lr: f32) -> Result<(), HyperParamError> {
                self.moments.lr = $check.learning_rate(lr)?;
                Ok(())
            }
        }
    };
}

/// The update as a GPU computes it.
const CUDA: &str = include_str!("adam.cu");

const ADAM: Check = Check("Adam");
const ADAM_W: Check = Check("AdamW");

/// `torch.optim.Adam`: steps along the running mean of the gradients, divided by the running
/// root mean square, both corrected for their start at 0.
///
/// Defaults: betas 0.9 and 0.999, eps 1e-8, weight decay 0, no amsgrad. Keeps two buffers of the
/// size of the parameters, and a third with amsgrad.
pub struct Adam<M> {
    moments: Moments,
    model: PhantomData<fn(&mut M)>,
}

adam!(Adam, ADAM);

impl<M: Model> Adam<M> {
    /// Steps of about `lr` (PyTorch's default is 1e-3) in every parameter.
    ///
    /// # Errors
    ///
    /// `lr` must be finite and at least 0, and there must be memory for the buffers.
    pub fn new(net: &M, lr: f32) -> Result<Self, HyperParamError> {
        let moments = Moments::new::<M>(ADAM, net.params().len(), lr)?;
        Ok(Self { moments, model: PhantomData })
    }

    /// The factor of `p` that is added to the gradient: an L2 penalty of half that factor.
    /// [`AdamW`] decays the parameters themselves.
    ///
    /// # Errors
    ///
    /// `weight_decay` must be finite and at least 0.
    pub fn weight_decay(mut self, weight_decay: f64) -> Result<Self, HyperParamError> {
        let weight_decay = ADAM.not_negative("weight_decay", weight_decay)?;
        self.moments.regularizer.weight_decay = weight_decay as f32;
        Ok(self)
    }
}

/// `torch.optim.AdamW`: [`Adam`] with a decay of the parameters that the running means do not
/// see.
///
/// Defaults: those of [`Adam`], and weight decay 1e-2.
pub struct AdamW<M> {
    moments: Moments,
    model: PhantomData<fn(&mut M)>,
}

adam!(AdamW, ADAM_W);

impl<M: Model> AdamW<M> {
    /// Steps of about `lr` (PyTorch's default is 1e-3) in every parameter.
    ///
    /// # Errors
    ///
    /// `lr` must be finite and at least 0, and there must be memory for the buffers.
    pub fn new(net: &M, lr: f32) -> Result<Self, HyperParamError> {
        let mut moments = Moments::new::<M>(ADAM_W, net.params().len(), lr)?;
        moments.decoupled_weight_decay = Some(1e-2);
        Ok(Self { moments, model: PhantomData })
    }

    /// The decay: every step multiplies the parameters by `1 - lr · weight_decay`.
    ///
    /// # Errors
    ///
    /// `weight_decay` must be finite and at least 0.
    pub fn weight_decay(mut self, weight_decay: f64) -> Result<Self, HyperParamError> {
        let weight_decay = ADAM_W.not_negative("weight_decay", weight_decay)?;
        self.moments.decoupled_weight_decay = Some(weight_decay);
        Ok(self)
    }
}
