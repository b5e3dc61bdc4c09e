//! Naive loss in `f64`.

use super::CrossEntropySpec;
use crate::ops::softmax::SoftmaxSpec;
use crate::ops::softmax::reference::{distributions, log_sum_exp};

fn softmax_spec(spec: CrossEntropySpec) -> SoftmaxSpec {
    SoftmaxSpec { outer: spec.outer, size: spec.classes, inner: spec.inner }
}

/// `cross_entropy`, plain.
pub fn cross_entropy(logits: &[f64], label: &[u32], spec: CrossEntropySpec) -> f64 {
    let smoothing = f64::from(spec.smoothing);
    let (mut loss, mut i) = (0.0, 0);
    distributions(softmax_spec(spec), |places| {
        // Less the maximum, which the loss does not depend on: large numbers would cancel.
        let max = places.iter().map(|&at| logits[at]).fold(f64::NEG_INFINITY, f64::max);
        let x: Vec<f64> = places.iter().map(|&at| logits[at] - max).collect();
        let lse = x.iter().map(|x| x.exp()).sum::<f64>().ln();
        let mean = x.iter().sum::<f64>() / spec.classes as f64;
        loss += lse - (1.0 - smoothing) * x[label[i] as usize] - smoothing * mean;
        i += 1;
    });
    loss / spec.positions() as f64
}

/// The gradient of `cross_entropy`.
pub fn cross_entropy_grad(
    d_logits: &mut [f64],
    d_loss: f64,
    logits: &[f64],
    label: &[u32],
    spec: CrossEntropySpec,
) {
    let smoothing = f64::from(spec.smoothing);
    let share = d_loss / spec.positions() as f64;
    let mut i = 0;
    distributions(softmax_spec(spec), |places| {
        let lse = log_sum_exp(logits, places);
        for (class, &at) in places.iter().enumerate() {
            let target = if class == label[i] as usize { 1.0 - smoothing } else { 0.0 };
            let target = target + smoothing / spec.classes as f64;
            d_logits[at] = share * ((logits[at] - lse).exp() - target);
        }
        i += 1;
    });
}
