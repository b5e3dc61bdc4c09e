//! The optimizers that tests build, and what their papers say of some. An optimizer has its rows
//! here, in `build`, and in `KERNELS` for each function that it has on a GPU; one that PyTorch
//! lacks has its definition in `PAPERS`, where goldens have others.

use gradiron::module::{Model, ParamSpec};
use gradiron::optim::{Adam, AdamW, HyperParamError, Lion, Optimizer, RMSprop, Sgd};

pub type Built<M> = Result<Box<dyn Optimizer<M>>, HyperParamError>;

fn boxed<M: Model, O: Optimizer<M> + 'static>(optimizer: O) -> Built<M> {
    Ok(Box::new(optimizer))
}

fn is_matrix(param: &ParamSpec) -> bool {
    param.shape.len() >= 2
}

/// The optimizer of a case.
pub fn build<M: Model + 'static>(case: &str, net: &M) -> Built<M> {
    match case {
        "sgd" => boxed(Sgd::new(net, 0.1)?),
        "sgd_decay" => boxed(Sgd::new(net, 0.1)?.weight_decay(1e-2)?),
        "sgd_maximize" => boxed(Sgd::new(net, 0.1)?.weight_decay(1e-2)?.maximize(true)),
        "sgd_momentum" => boxed(Sgd::new(net, 0.05)?.momentum(0.9)?),
        "sgd_dampening" => boxed(Sgd::new(net, 0.05)?.momentum(0.9)?.dampening(0.3)?),
        "sgd_nesterov" => {
            boxed(Sgd::new(net, 0.05)?.momentum(0.9)?.nesterov(true)?.weight_decay(1e-4)?)
        }
        "adam" => boxed(Adam::new(net, 1e-3)?),
        "adam_large_lr" => boxed(Adam::new(net, 0.3)?),
        "adam_betas" => boxed(Adam::new(net, 1e-2)?.betas(0.4, 0.9)?.eps(1e-3)?),
        "adam_decay" => boxed(Adam::new(net, 1e-2)?.weight_decay(0.1)?),
        "adam_amsgrad" => boxed(Adam::new(net, 1e-2)?.betas(0.9, 0.5)?.amsgrad(true)),
        "adam_maximize" => boxed(Adam::new(net, 1e-2)?.maximize(true)),
        "adamw" => boxed(AdamW::new(net, 1e-3)?),
        "adamw_decay" => boxed(AdamW::new(net, 1e-2)?.weight_decay(0.3)?),
        "adamw_amsgrad" => boxed(AdamW::new(net, 1e-2)?.betas(0.9, 0.5)?.amsgrad(true)),
        "lion" => boxed(Lion::new(net, 1e-2)?),
        "lion_decay" => boxed(Lion::new(net, 1e-2)?.betas(0.4, 0.9)?.weight_decay(0.3)?),
        "rmsprop" => boxed(RMSprop::new(net, 1e-2)?),
        "rmsprop_alpha" => {
            boxed(RMSprop::new(net, 1e-2)?.alpha(0.9)?.eps(1e-4)?.weight_decay(0.1)?)
        }
        "rmsprop_momentum" => boxed(RMSprop::new(net, 1e-3)?.momentum(0.9)?),
        "rmsprop_centered" => boxed(RMSprop::new(net, 1e-3)?.alpha(0.9)?.centered(true)),
        "rmsprop_centered_momentum" => {
            let rmsprop = RMSprop::new(net, 1e-3)?.alpha(0.4)?.eps(1e-2)?.momentum(0.5)?;
            boxed(rmsprop.centered(true).maximize(true))
        }
        "sgd_groups" => {
            boxed(Sgd::new(net, 0.1)?.momentum(0.9)?.weight_decay(0.3)?.decay_only(is_matrix))
        }
        "adam_groups" => boxed(Adam::new(net, 1e-2)?.weight_decay(0.3)?.decay_only(is_matrix)),
        "adamw_groups" => boxed(AdamW::new(net, 1e-2)?.weight_decay(0.3)?.decay_only(is_matrix)),
        "rmsprop_groups" => {
            boxed(RMSprop::new(net, 1e-2)?.weight_decay(0.3)?.decay_only(is_matrix))
        }
        "sgd_clip" => boxed(Sgd::new(net, 0.1)?.momentum(0.9)?.clip_norm(1.0)?),
        "adamw_clip" => boxed(AdamW::new(net, 1e-2)?.clip_norm(1.0)?),
        "schedule_sgd" => boxed(Sgd::new(net, 0.1)?.momentum(0.9)?),
        "schedule_adam" => boxed(Adam::new(net, 0.1)?),
        _ => panic!("a case that is not built: {case}"),
    }
}

/// Cases that run each function of a GPU once.
#[allow(dead_code)] // one of two suites reads it
pub const KERNELS: [&str; 8] = [
    "sgd_clip",
    "adam",
    "adam_amsgrad",
    "lion",
    "rmsprop",
    "rmsprop_momentum",
    "rmsprop_centered",
    "rmsprop_centered_momentum",
];

/// The new parameter at step `t`, from 1 on, of a parameter, its gradient and its state, in `f64`s.
type Definition = fn(t: i32, p: f64, g: f64, state: &mut [f64; 2]) -> f64;

/// What the papers say, for cases of `build`.
#[allow(dead_code)] // one of two suites reads it
pub const PAPERS: [(&str, Definition); 4] = [
    ("sgd_momentum", |_, p, g, [b, _]| {
        *b = 0.9 * *b + g;
        p - 0.05 * *b
    }),
    // Kingma and Ba, algorithm 1.
    ("adam", |t, p, g, [m, v]| {
        *m = 0.9 * *m + 0.1 * g;
        *v = 0.999 * *v + 0.001 * g * g;
        let (m, v) = (*m / (1.0 - 0.9_f64.powi(t)), *v / (1.0 - 0.999_f64.powi(t)));
        p - 1e-3 * m / (v.sqrt() + 1e-8)
    }),
    // Chen et al., algorithm 2.
    ("lion", |_, p, g, [m, _]| {
        let c = 0.9 * *m + 0.1 * g;
        *m = 0.99 * *m + 0.01 * g;
        p - 1e-2 * if c == 0.0 { 0.0 } else { c.signum() }
    }),
    ("lion_decay", |_, p, g, [m, _]| {
        let c = 0.4 * *m + 0.6 * g;
        *m = 0.9 * *m + 0.1 * g;
        p - 1e-2 * (if c == 0.0 { 0.0 } else { c.signum() } + 0.3 * p)
    }),
];
