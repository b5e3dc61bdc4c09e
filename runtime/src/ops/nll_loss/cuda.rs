//! Negative log likelihood on a GPU.

use super::{NllLoss, NllLossSpec};
use crate::device::{Buf, CudaKernels, Grid, Indices, Text};
use crate::ops::fill::Fill;

const TEXT: Text = Text { room: "nll_loss", text: include_str!("kernels.cu") };

impl NllLoss for CudaKernels {
    fn nll_loss(&mut self, loss: Buf, log_probs: Buf, label: Indices, spec: NllLossSpec) {
        let rows = spec.positions();
        if rows == 0 {
            // The mean of nothing.
            return self.fill(loss, f32::NAN);
        }
        let kernel =
            TEXT.kernel("nll_loss").with("CLASSES", spec.classes).with("INNER", spec.inner);
        let [losses] = self.scratch([rows]);
        let args = [
            ("losses", losses),
            ("log_probs", log_probs.into()),
            ("label", label.into()),
            ("rows", rows.into()),
        ];
        self.launch(kernel, Grid::each(rows), &args);
        self.mean(loss, losses, rows);
    }

    fn nll_loss_grad(&mut self, d_log_probs: Buf, d_loss: Buf, label: Indices, spec: NllLossSpec) {
        let rows = spec.positions();
        let kernel = TEXT.kernel("nll_loss_grad");
        let kernel = kernel.with("CLASSES", spec.classes).with("INNER", spec.inner);
        let args = [
            ("d_log_probs", d_log_probs.into()),
            ("d_loss", d_loss.into()),
            ("label", label.into()),
            ("rows", rows.into()),
        ];
        self.launch(kernel, Grid::each(rows * spec.classes), &args);
    }
}
