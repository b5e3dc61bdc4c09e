//! The kernels on a GPU.

use super::*;
use crate::device::CudaStep;

impl Softmax for CudaStep {
    fn softmax(&mut self, _y: Buf, _x: Buf, _spec: SoftmaxSpec) {
        todo!()
    }
    fn log_softmax(&mut self, _y: Buf, _x: Buf, _spec: SoftmaxSpec) {
        todo!()
    }
    fn softmax_grad(&mut self, _d_x: Buf, _d_y: Buf, _y: Buf, _spec: SoftmaxSpec) {
        todo!()
    }
    fn log_softmax_grad(&mut self, _d_x: Buf, _d_y: Buf, _y: Buf, _spec: SoftmaxSpec) {
        todo!()
    }
}
