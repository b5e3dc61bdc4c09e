//! The kernels on a GPU.

use super::*;
use crate::device::CudaStep;

impl Gather for CudaStep {
    fn gather(&mut self, _y: Buf, _x: Buf, _index: Indices, _spec: GatherSpec) {
        todo!()
    }
    fn gather_grad(&mut self, _d_x: Buf, _d_y: Buf, _index: Indices, _spec: GatherSpec) {
        todo!()
    }
}
