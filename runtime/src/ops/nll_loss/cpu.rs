//! Negative log likelihood on the CPU: one read or write for each label.

use super::{NllLoss, NllLossSpec};
use crate::device::{Buf, CpuKernels, Indices};
use crate::ops::fill::Fill;
use crate::ops::{check_len, product};

impl NllLossSpec {
    /// Panics where log-probabilities and labels do not have these sizes.
    fn check(&self, log_probs: usize, labels: usize) {
        check_len("log-probabilities", log_probs, product([self.outer, self.classes, self.inner]));
        check_len("labels", labels, self.positions());
    }
}

impl NllLoss for CpuKernels<'_> {
    fn nll_loss(&mut self, loss: Buf, log_probs: Buf, label: Indices, spec: NllLossSpec) {
        let label = self.indices(label);
        let ([loss], [log_probs]) = self.views([loss], [log_probs]);
        spec.check(log_probs.len(), label.len());
        let mut sum = 0.0_f64;
        for (i, &class) in label.iter().enumerate() {
            check(class, spec.classes);
            sum -= f64::from(log_probs[spec.at(i, class as usize)]);
        }
        loss[0] = (sum / label.len() as f64) as f32;
    }

    fn nll_loss_grad(&mut self, d_log_probs: Buf, d_loss: Buf, label: Indices, spec: NllLossSpec) {
        self.fill(d_log_probs, 0.0);
        let label = self.indices(label);
        let ([d_log_probs], [d_loss]) = self.views([d_log_probs], [d_loss]);
        spec.check(d_log_probs.len(), label.len());
        let share = -d_loss[0] / label.len() as f32;
        for (i, &class) in label.iter().enumerate() {
            check(class, spec.classes);
            d_log_probs[spec.at(i, class as usize)] = share;
        }
    }
}

/// # Panics
/// When `class` is none of the `classes`.
pub(crate) fn check(class: u32, classes: usize) {
    assert!((class as usize) < classes, "label {class} is none of the {classes} classes");
}
