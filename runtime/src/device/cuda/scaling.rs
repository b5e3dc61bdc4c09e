//! Losses of steps in f16 are scaled, so that small gradients do not vanish: by 2¹⁶ at first, by
//! half of it after gradients that were not finite, whose step is left out, and by twice as much
//! after 2000 steps without such (PyTorch's `torch.amp.GradScaler` and its defaults). It happens on
//! the GPU; the host waits for nothing. Gradients that a caller gives are not scaled.

use super::products::Factors;
use super::recording::{Arg, CudaKernels, Grid, Text};
use crate::device::Buf;

const TEXT: Text = Text { room: "scaling", text: include_str!("scaling.cu") };

/// The state of a scale: itself, steps since it changed, whether the last gradients were not
/// finite.
pub(super) const STATE: [f32; 3] = [65_536.0, 0.0, 0.0];

impl CudaKernels {
    /// Whether the step scales its losses.
    fn scales(&self) -> bool {
        self.factors() == Factors::F16
    }

    /// The scale of the loss, for kernels that make gradients before they are given the loss's.
    pub(crate) fn loss_scale(&self) -> Arg {
        if self.scales() { Arg::LossScale } else { Arg::Null }
    }

    /// `d_loss = scale`, where the loss is scaled.
    pub(super) fn seed_scaled(&mut self, d_loss: Buf) -> bool {
        if !self.scales() {
            return false;
        }
        self.seeded = true;
        let args = [("d_loss", d_loss.into()), ("state", Arg::LossScale)];
        self.launch(TEXT.kernel("seed"), Grid::rows(1), &args);
        true
    }

    /// The gradients of the loss, of those of the scaled one; and the next scale.
    pub(super) fn unscale(&mut self, gradients: impl Iterator<Item = Buf>) {
        if !self.scales() {
            return;
        }
        let state = ("state", Arg::LossScale);
        self.launch(TEXT.kernel("clear"), Grid::rows(1), &[state]);
        for gradients in gradients.filter(|buf| buf.len > 0) {
            let kernel = TEXT.kernel("unscale").with("SCALED", u8::from(self.seeded));
            let args = [("grads", gradients.into()), state, ("count", gradients.len.into())];
            self.launch(kernel, Grid::each(gradients.len), &args);
        }
        if self.seeded {
            self.launch(TEXT.kernel("adjust"), Grid::rows(1), &[state]);
        }
    }
}
