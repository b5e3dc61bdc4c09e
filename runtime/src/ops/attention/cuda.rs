//! The kernels on a GPU.

use super::*;
use crate::device::CudaStep;

impl Attention for CudaStep {
    fn attention(&mut self, _y: View, _lse: Buf, _given: Given, _spec: AttentionSpec) {
        todo!()
    }
    fn append(&mut self, _to: [View; 2], _from: [View; 2], _past: usize, _spec: AttentionSpec) {
        todo!()
    }
    fn attention_grad(
        &mut self,
        _d_qkv: [View; 3],
        _d_y_and_y: [View; 2],
        _lse: Buf,
        _given: Given,
        _spec: AttentionSpec,
    ) {
        todo!()
    }
}
