//! Naive loss in `f64`.

use super::NllLossSpec;

/// `nll_loss`, plain.
pub fn nll_loss(log_probs: &[f64], label: &[u32], spec: NllLossSpec) -> f64 {
    let picked = label.iter().enumerate().map(|(i, &class)| log_probs[spec.at(i, class as usize)]);
    -picked.sum::<f64>() / label.len() as f64
}

/// The gradient of `nll_loss`.
pub fn nll_loss_grad(d_log_probs: &mut [f64], d_loss: f64, label: &[u32], spec: NllLossSpec) {
    d_log_probs.fill(0.0);
    for (i, &class) in label.iter().enumerate() {
        d_log_probs[spec.at(i, class as usize)] = -d_loss / label.len() as f64;
    }
}
