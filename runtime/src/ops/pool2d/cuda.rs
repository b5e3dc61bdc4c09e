//! The kernels on a GPU.

use super::*;
use crate::device::CudaStep;

impl Pool2d for CudaStep {
    fn max_pool2d(&mut self, _y: Buf, _index: Option<Buf>, _x: Buf, _spec: Pool2dSpec) {
        todo!()
    }
    fn max_pool2d_grad(&mut self, _d_x: Buf, _d_y: Buf, _index: Buf, _spec: Pool2dSpec) {
        todo!()
    }
    fn avg_pool2d(&mut self, _y: Buf, _x: Buf, _spec: Pool2dSpec) {
        todo!()
    }
    fn avg_pool2d_grad(&mut self, _d_x: Buf, _d_y: Buf, _spec: Pool2dSpec) {
        todo!()
    }
}
