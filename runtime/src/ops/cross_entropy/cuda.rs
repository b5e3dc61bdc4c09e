//! Cross entropy on a GPU: the losses of rows, then their mean.

use super::{CrossEntropy, CrossEntropySpec};
use crate::device::{Arg, Buf, CudaKernels, Grid, Indices, Team, Text, width};
use crate::ops::fill::Fill;

const TEXT: Text = Text { room: "cross_entropy", text: include_str!("kernels.cu") };
const ROWS: Text = Text {
    text: concat!(include_str!("../../device/cuda/rows.cuh"), include_str!("rows.cu")),
    ..TEXT
};

impl CudaKernels {
    fn cross_entropy_rows(
        &mut self,
        loss: Buf,
        d_logits: Option<Buf>,
        logits: Buf,
        label: Indices,
        spec: CrossEntropySpec,
    ) {
        let rows = spec.positions();
        if rows == 0 {
            // The mean of nothing.
            return self.fill(loss, f32::NAN);
        }
        let team = Team::new(spec.classes, spec.inner, &[logits, d_logits.unwrap_or(logits)]);
        let kernel = team.kernel(ROWS, "cross_entropy");
        let kernel = if d_logits.is_some() { kernel.with("WITH_GRAD", 1) } else { kernel };
        let [losses] = self.scratch([rows]);
        let args = [
            ("losses", losses),
            ("d_logits", d_logits.into()),
            ("logits", logits.into()),
            ("label", label.into()),
            ("loss_scale", self.loss_scale()),
            ("smoothing", spec.smoothing.into()),
            ("rows", rows.into()),
        ];
        self.launch(kernel, team.grid(rows), &args);
        self.mean(loss, losses, rows);
    }

    /// `loss [1]`, the mean of `rows` numbers.
    pub(in crate::ops) fn mean(&mut self, loss: Buf, losses: Arg, rows: usize) {
        let args = [("loss", loss.into()), ("losses", losses), ("rows", rows.into())];
        self.launch(TEXT.kernel("mean"), Grid::rows(1), &args);
    }
}

impl CrossEntropy for CudaKernels {
    fn cross_entropy(&mut self, loss: Buf, logits: Buf, label: Indices, spec: CrossEntropySpec) {
        self.cross_entropy_rows(loss, None, logits, label, spec);
    }

    fn cross_entropy_with_grad(
        &mut self,
        loss: Buf,
        d_logits: Buf,
        logits: Buf,
        label: Indices,
        spec: CrossEntropySpec,
    ) {
        self.cross_entropy_rows(loss, Some(d_logits), logits, label, spec);
    }

    fn cross_entropy_grad(&mut self, d_logits: Buf, d_loss: Buf, of_one: Buf) {
        let args = [
            ("d_logits", d_logits.into()),
            ("d_loss", d_loss.into()),
            ("of_one", of_one.into()),
            ("loss_scale", self.loss_scale()),
            ("count", d_logits.len.into()),
        ];
        let width = width(d_logits.len, &[d_logits, of_one]);
        let kernel = TEXT.kernel("scale").with("WIDTH", width);
        self.launch(kernel, Grid::each(d_logits.len / width), &args);
    }
}
