//! The kernels on a GPU.

use super::*;
use crate::device::CudaStep;

impl Recurrent for CudaStep {
    fn recurrent(
        &mut self,
        _made: Made,
        _history: Option<History>,
        _given: Given,
        _scratch: Buf,
        _spec: RecurrentSpec,
    ) {
        todo!()
    }
    fn recurrent_grad(
        &mut self,
        _gradients: Gradients,
        _upstream: Upstream,
        _history: History,
        _given: Given,
        _scratch: Buf,
        _spec: RecurrentSpec,
    ) {
        todo!()
    }
}
