//! The kernels on a GPU.

use super::*;
use crate::device::CudaStep;

impl NllLoss for CudaStep {
    fn nll_loss(&mut self, _loss: Buf, _log_probs: Buf, _label: Indices, _spec: NllLossSpec) {
        todo!()
    }
    fn nll_loss_grad(
        &mut self,
        _d_log_probs: Buf,
        _d_loss: Buf,
        _label: Indices,
        _spec: NllLossSpec,
    ) {
        todo!()
    }
}
