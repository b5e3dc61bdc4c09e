//! How large gradients and steps of an optimizer are, tensor by tensor.

use std::fmt;

use crate::module::Model;
use crate::observe::Short;
use crate::optim::Grads;

/// The norms of parameters, of their gradients and of what the last step changed, by tensor. A
/// healthy step changes about a thousandth of a tensor; far more means a learning rate that is too
/// large, far less one that is too small, or gradients that do not arrive.
///
/// ```
/// use gradiron::debug::StepNorms;
/// use gradiron::prelude::*;
///
/// model! {
///     struct Line { line: Linear(1 -> 1) }
///     fn loss(&self, x: [batch, 1], y: [batch, 1]) -> [] { mse_loss(self.line(x), y) }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut net = Line::init(Seed(0));
/// let mut ws = Line::workspace(2)?;
/// let mut sgd = Sgd::new(&net, 0.01)?;
/// let mut norms = StepNorms::new(&net);
/// net.loss_grad(&mut ws, &[[1.0], [2.0]], &[[2.0], [4.0]])?;
/// sgd.step(&mut net, ws.grads());
/// norms.record(&net, &ws.grads());
/// println!("{norms}");
/// let weight = &norms.tensors[0];
/// assert_eq!(weight.name, "line.weight");
/// assert!((weight.update - 0.01 * weight.gradient).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct StepNorms {
    /// In the order of the parameters.
    pub tensors: Vec<TensorNorms>,
    places: Vec<(usize, usize)>,
    before: Vec<f32>,
}

/// The Euclidean norms of one tensor.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TensorNorms {
    /// The parameter: `fc1.weight`.
    pub name: String,
    /// Of the parameter, as it is now.
    pub param: f64,
    /// Of its gradient; 0 where it has none.
    pub gradient: f64,
    /// Of what the step changed.
    pub update: f64,
}

impl StepNorms {
    /// Norms of the steps from here on.
    pub fn new<M: Model>(net: &M) -> Self {
        let specs = M::param_specs();
        let places = specs.iter().map(|spec| (spec.start, spec.len())).collect();
        let tensors = specs.into_iter().map(|spec| TensorNorms {
            name: spec.name,
            param: 0.0,
            gradient: 0.0,
            update: 0.0,
        });
        Self { tensors: tensors.collect(), places, before: net.params().to_vec() }
    }

    /// Takes the norms of what changed since the last call, and of the gradients that it was made
    /// along. Allocates nothing.
    ///
    /// # Panics
    /// When gradients or parameters are on a device that fails to bring them.
    pub fn record<M: Model>(&mut self, net: &M, grads: &Grads<'_, M>) {
        let (params, gradients) = (net.params(), grads.as_slice());
        for (tensor, (start, len)) in self.tensors.iter_mut().zip(&self.places) {
            let here = *start..start + len;
            let changes = params[here.clone()].iter().zip(&self.before[here.clone()]);
            tensor.update = norm(changes.map(|(now, before)| now - before));
            tensor.gradient = norm(gradients[here.clone()].iter().copied());
            tensor.param = norm(params[here].iter().copied());
        }
        self.before.copy_from_slice(params);
    }
}

fn norm(values: impl Iterator<Item = f32>) -> f64 {
    values.map(|value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}

impl fmt::Display for StepNorms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.tensors.iter().map(|tensor| tensor.name.chars().count()).max();
        let width = width.unwrap_or(0).max(9);
        writeln!(
            f,
            "{:width$}  {:>10}  {:>10}  {:>10}  {:>14}",
            "parameter", "norm", "gradient", "update", "update / norm"
        )?;
        for TensorNorms { name, param, gradient, update } in &self.tensors {
            let share = Short((update / param) as f32);
            let [param, gradient, update] =
                [*param, *gradient, *update].map(|norm| Short(norm as f32));
            writeln!(f, "{name:width$}  {param:>10}  {gradient:>10}  {update:>10}  {share:>14}")?;
        }
        Ok(())
    }
}
