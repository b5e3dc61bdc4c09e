//! The gradients of several batches, as those of one.

use std::marker::PhantomData;

use super::{Grads, Optimizer};
use crate::module::Model;

/// The gradients of several batches as those of one that is too large for memory: their mean,
/// each weighted by its samples, so that a smaller last batch counts as much as it has.
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
/// let mut total = Accumulated::new(&net);
/// let (x, y) = ([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]], [[0.5]; 6]);
/// // Six samples, of which four fit.
/// for (x, y) in x.chunks(4).zip(y.chunks(4)) {
///     net.loss_grad(&mut ws, x, y)?;
///     total.add(&mut net, &sgd, ws.grads(), x.len());
/// }
/// total.step(&mut net, &mut sgd);
/// # Ok(())
/// # }
/// ```
///
/// It is for losses that are means over their samples, as all are by default. The running
/// statistics of norms move with each batch, as in PyTorch. On a GPU, gradients are brought to the
/// host.
pub struct Accumulated<M> {
    /// The gradients, times their samples.
    sum: Box<[f32]>,
    samples: f64,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Accumulated<M> {
    /// Nothing yet.
    pub fn new(net: &M) -> Self {
        let sum = vec![0.0; net.params().len()].into();
        Self { sum, samples: 0.0, model: PhantomData }
    }

    /// Adds the gradients of a batch of so many samples, and takes over the state that its pass
    /// made, as the optimizer's step would.
    ///
    /// # Panics
    ///
    /// When these gradients were added or stepped along already, when there are no samples, or when
    /// they are on a device that is lost.
    #[track_caller]
    pub fn add(
        &mut self,
        net: &mut M,
        optimizer: &impl Optimizer<M>,
        grads: Grads<'_, M>,
        samples: usize,
    ) {
        assert!(samples > 0, "gradiron: gradients of no samples have no weight in a mean");
        grads.take();
        let weight = samples as f32;
        self.sum.iter_mut().zip(grads.as_slice()).for_each(|(sum, g)| *sum += weight * g);
        self.samples += f64::from(weight);
        optimizer.take_state(net, grads);
    }

    /// How many samples there are since the last step.
    pub fn samples(&self) -> usize {
        self.samples as usize
    }

    /// A step along the mean, after which there is nothing again.
    ///
    /// # Panics
    ///
    /// When nothing was added since the last step.
    #[track_caller]
    pub fn step(&mut self, net: &mut M, optimizer: &mut impl Optimizer<M>) {
        assert!(
            self.samples > 0.0,
            "gradiron: there are no gradients for this step: `add` those of a batch before"
        );
        let share = (1.0 / self.samples) as f32;
        self.sum.iter_mut().for_each(|sum| *sum *= share);
        optimizer.step(net, Grads::new(&self.sum, &[], None));
        self.clear();
    }

    /// Forgets what was added.
    pub fn clear(&mut self) {
        self.sum.fill(0.0);
        self.samples = 0.0;
    }
}

impl<M> std::fmt::Debug for Accumulated<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Accumulated({} floats of {} samples)", self.sum.len(), self.samples)
    }
}
