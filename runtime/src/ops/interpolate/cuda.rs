//! The kernels on a GPU.

use super::*;
use crate::device::CudaStep;

impl Interpolate for CudaStep {
    fn interpolate(&mut self, _y: Buf, _x: Buf, _spec: InterpolateSpec) {
        todo!()
    }
    fn interpolate_grad(&mut self, _d_x: Buf, _d_y: Buf, _spec: InterpolateSpec) {
        todo!()
    }
}
