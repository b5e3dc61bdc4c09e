//! The kernels on a GPU.

use super::*;
use crate::device::CudaStep;

impl Rotary for CudaStep {
    fn rotary(&mut self, _y: Buf, _x: Buf, _spec: RotarySpec) {
        todo!()
    }
    fn sinusoidal(&mut self, _y: Buf, _len: usize, _dim: usize, _base: f32) {
        todo!()
    }
}
