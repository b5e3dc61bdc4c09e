//! The kernels on a GPU.

use super::*;
use crate::device::CudaStep;

impl Dropout for CudaStep {
    fn dropout(&mut self, _y: Buf, _call: Buf, _x: Buf, _spec: DropoutSpec) {
        todo!()
    }
    fn dropout_grad(&mut self, _d_x: Buf, _d_y: Buf, _call: Buf, _spec: DropoutSpec) {
        todo!()
    }
}
