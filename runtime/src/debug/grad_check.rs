//! Gradients against differences of the loss.
//!
//! Kernels compute in `f32`, so the loss is known to some 2⁻²⁴ of itself and a difference of two
//! losses to far less. What a step `t` along a direction gives, `D(t) = (L(t) − L(−t)) / 2t`, is
//! wrong by a term in `t²` and by the rounding of the loss over `t`. Steps are halved again and
//! again; of two neighbours Richardson's `(4·D(t) − D(2t)) / 3` is without the term in `t²`, and
//! the pair is taken for which the sum of both errors, as the numbers themselves show them, is
//! least.

use std::fmt;

use crate::device::Device;
use crate::module::ParamSpec;
use crate::observe::Short;
use crate::program::Network;
use crate::rng::{Rng, Seed};
use crate::workspace::{InputError, Workspace};

/// How many steps there are, each half of the one before.
const STEPS: usize = 9;
/// The first, in units of the root of the mean square of a tensor.
const FIRST: f32 = 0.125;
/// That root for tensors of zeros, such as new biases.
const LEAST: f32 = 0.1;
/// A gradient may be beside a difference by so many times the error of that.
const ERRORS: f64 = 4.0;
/// And by this part of itself, for the rounding of the gradient.
const RELATIVE: f64 = 2e-3;

/// The gradients of a loss beside its differences, tensor by tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct GradCheck {
    /// Those that have a gradient.
    pub tensors: Vec<TensorCheck>,
}

/// The gradient of one tensor.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TensorCheck {
    /// The parameter: `fc1.weight`.
    pub name: String,
    /// The element whose gradient is furthest from its difference, of those that were looked at.
    pub index: Vec<usize>,
    /// Its gradient.
    pub gradient: f64,
    /// The difference in its place.
    pub difference: f64,
    /// How wrong that difference may be.
    pub error: f64,
    /// Whether one of the tensor's gradients is further from its difference than rounding
    /// explains.
    pub is_wrong: bool,
}

impl GradCheck {
    /// Whether all gradients are as differences say.
    pub fn is_right(&self) -> bool {
        self.tensors.iter().all(|tensor| !tensor.is_wrong)
    }

    /// The tensor that is furthest from its differences, in units of what they may be wrong by.
    pub fn worst(&self) -> Option<&TensorCheck> {
        self.tensors.iter().max_by(|a, b| a.excess().total_cmp(&b.excess()))
    }
}

impl TensorCheck {
    /// How far the gradient is from the difference; above 1 it is wrong.
    fn excess(&self) -> f64 {
        Along { gradient: self.gradient, difference: self.difference, error: self.error }.excess()
    }
}

/// Compares the gradients of a loss with differences of it, for all parameters of `net`.
///
/// `loss_grad` calls a loss with gradients, on the same data each time; what dropout drops is the
/// same too. A function of several numbers becomes a loss by weights for its results, in the model.
/// For each tensor the sum of all its gradients is compared along one random direction, then
/// `entries` elements alone: those with the largest gradients, and others. Where a sum is wrong,
/// the element that it is due to is looked for by halves. A tensor takes `18 · (entries + 1)` calls
/// of `loss_grad`: small batches are enough, and few entries for large networks.
///
/// Where a loss has a kink, as `relu` at zero, its difference is no gradient; and what `detach`
/// hides from gradients differences see. `net` is as it was at the end.
///
/// ```
/// use gradiron::debug::grad_check;
/// use gradiron::prelude::*;
///
/// model! {
///     struct Mlp { fc1: Linear(4 -> 8), fc2: Linear(8 -> 3) }
///     fn loss(&self, x: [batch, 4], label: Classes[batch]) -> [] {
///         cross_entropy(self.fc2(self.fc1(x).tanh()), label)
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut net = Mlp::init(Seed(0));
/// let mut ws = Mlp::workspace(2)?;
/// let (x, label) = ([[0.5, -1.0, 0.0, 2.0], [1.0, 0.0, 3.0, -1.0]], [0_u8, 2]);
/// let check = grad_check(&mut net, &mut ws, 4, |net, ws| net.loss_grad(ws, &x, &label))?;
/// assert!(check.is_right(), "{check}");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of `loss_grad`.
pub fn grad_check<N: Network, D: Device>(
    net: &mut N,
    ws: &mut Workspace<N::Module, D>,
    entries: usize,
    mut loss_grad: impl FnMut(&N, &mut Workspace<N::Module, D>) -> Result<f32, InputError>,
) -> Result<GradCheck, InputError> {
    let (random, mut specs) = (ws.random(), N::param_specs());
    let loss = f64::from(loss_grad(net, ws)?);
    specs.retain(|spec| ws.grads().has(spec) && !spec.is_empty());
    let gradients = ws.grads().as_slice().to_vec();
    let at_start = net.params().to_vec();
    let mut losses = Losses {
        at: |params: &[f32]| {
            net.params_mut().copy_from_slice(params);
            ws.draw_again(random);
            loss_grad(net, ws).map(f64::from)
        },
        params: at_start.clone(),
        gradients: &gradients,
        loss,
    };
    let tensors: Result<_, _> =
        specs.iter().map(|spec| losses.tensor(spec, entries, &at_start)).collect();
    net.params_mut().copy_from_slice(&at_start);
    ws.draw_again(random);
    Ok(GradCheck { tensors: tensors? })
}

/// A derivative along a direction: as gradients say, and as differences do.
#[derive(Clone, Copy)]
struct Along {
    gradient: f64,
    difference: f64,
    error: f64,
}

impl Along {
    /// How far one is from the other, in units of what may be.
    fn excess(&self) -> f64 {
        let Self { gradient, difference, error } = *self;
        let allowed = ERRORS * error + RELATIVE * gradient.abs().max(difference.abs());
        let apart = (gradient - difference).abs();
        match apart.is_finite() {
            true => apart / allowed.max(f64::MIN_POSITIVE),
            false => f64::INFINITY,
        }
    }
}

/// The loss around a point.
struct Losses<'a, At> {
    at: At,
    params: Vec<f32>,
    gradients: &'a [f32],
    loss: f64,
}

impl<At: FnMut(&[f32]) -> Result<f64, InputError>> Losses<'_, At> {
    fn tensor(
        &mut self,
        spec: &ParamSpec,
        entries: usize,
        start: &[f32],
    ) -> Result<TensorCheck, InputError> {
        let all = spec.start..spec.start + spec.len();
        let squares: f32 = start[all.clone()].iter().map(|p| p * p).sum();
        let first = FIRST * (squares / spec.len() as f32).sqrt().max(LEAST);
        let mut rng = Rng::new(Seed(0), spec.start as u64);
        let signs: Vec<f32> =
            all.clone().map(|_| if rng.below(2) == 0 { -1.0 } else { 1.0 }).collect();
        let direction = |from: usize, len: usize| -> Vec<(usize, f32)> {
            (from..from + len).map(|at| (all.start + at, signs[at])).collect()
        };
        let mut order: Vec<usize> = (0..spec.len()).collect();
        let size = |at: &usize| self.gradients[all.start + at].abs();
        order.sort_by(|a, b| size(b).total_cmp(&size(a)));
        let (largest, others) = order.split_at(entries.div_ceil(2).min(spec.len()));
        let mut others = others.to_vec();
        rng.shuffle(&mut others);
        others.truncate(entries - entries.div_ceil(2));
        let mut worst: Option<(usize, Along)> = None;
        let mut is_wrong = false;
        let mut seen = |at: usize, along: Along| {
            is_wrong |= along.excess() > 1.0;
            if worst.is_none_or(|(_, known)| along.excess() > known.excess()) {
                worst = Some((at, along));
            }
        };
        for at in largest.iter().chain(&others) {
            seen(*at, self.along(&direction(*at, 1), first, start)?);
        }
        let sum = self.along(&direction(0, spec.len()), first, start)?;
        let looks_on = sum.excess() > 1.0;
        // Which half the sum owes more of its error to, down to one element.
        let (mut from, mut len) = (0, spec.len());
        while looks_on && len > 1 {
            let halves = [(from, len / 2), (from + len / 2, len - len / 2)];
            let [a, b] = halves.map(|(from, len)| self.along(&direction(from, len), first, start));
            let apart = |along: &Along| (along.gradient - along.difference).abs();
            (from, len) = halves[usize::from(apart(&b?) > apart(&a?))];
        }
        if looks_on || entries == 0 {
            seen(from, self.along(&direction(from, 1), first, start)?);
        }
        let (at, along) = worst.expect("an element was looked at");
        let Along { gradient, difference, error } = along;
        let index = super::Output { shape: spec.shape.clone(), values: &[] }.index(at);
        let (name, is_wrong) = (spec.name.clone(), is_wrong || looks_on);
        let sign = f64::from(signs[at]);
        Ok(TensorCheck {
            name,
            index,
            gradient: sign * gradient,
            difference: sign * difference,
            error,
            is_wrong,
        })
    }

    /// The derivative along a direction, whose first step has the length `first` in each element.
    fn along(
        &mut self,
        direction: &[(usize, f32)],
        first: f32,
        start: &[f32],
    ) -> Result<Along, InputError> {
        let gradient =
            direction.iter().map(|(at, sign)| f64::from(self.gradients[*at] * sign)).sum();
        let (mut differences, mut noise) = (Vec::new(), self.loss.abs() * f64::from(f32::EPSILON));
        for step in 0..STEPS {
            let length = first / (1 << step) as f32;
            let [ahead, behind] = [1.0, -1.0].map(|side| {
                for (at, sign) in direction {
                    self.params[*at] = start[*at] + side * length * sign;
                }
                (self.at)(&self.params)
            });
            let (ahead, behind) = (ahead?, behind?);
            differences.push((f64::from(length), (ahead - behind) / (2.0 * f64::from(length))));
            // Of the shortest steps what bends is rounding.
            if step + 3 >= STEPS {
                noise = noise.max((ahead + behind - 2.0 * self.loss).abs() / 2.0);
            }
        }
        direction.iter().for_each(|(at, _)| self.params[*at] = start[*at]);
        let pairs = differences.windows(2).map(|pair| {
            let [(_, coarse), (length, fine)] = [pair[0], pair[1]];
            let difference = (4.0 * fine - coarse) / 3.0;
            (difference, (difference - fine).abs() + 2.0 * noise / length)
        });
        let best = pairs.min_by(|a, b| a.1.total_cmp(&b.1));
        let (difference, error) = best.expect("there are several steps");
        Ok(Along { gradient, difference, error })
    }
}

impl fmt::Display for GradCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.tensors.iter().map(|tensor| tensor.name.chars().count()).max();
        let width = width.unwrap_or(0).max(9);
        writeln!(
            f,
            "{:width$}  {:>12}  {:>12}  {:>10}  worst element",
            "parameter", "gradient", "difference", "± error"
        )?;
        for tensor in &self.tensors {
            let [gradient, difference, error] =
                [tensor.gradient, tensor.difference, tensor.error].map(|v| Short(v as f32));
            let wrong = if tensor.is_wrong { "  WRONG" } else { "" };
            let (name, index) = (&tensor.name, &tensor.index);
            writeln!(
                f,
                "{name:width$}  {gradient:>12}  {difference:>12}  {error:>10}  {index:?}{wrong}"
            )?;
        }
        Ok(())
    }
}
