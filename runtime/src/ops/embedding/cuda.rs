//! The kernels on a GPU.

use super::*;
use crate::device::CudaStep;

impl Embedding for CudaStep {
    fn embedding(&mut self, _y: Buf, _index: Indices, _w: Buf, _spec: EmbeddingSpec) {
        todo!()
    }
    fn embedding_grad(&mut self, _d_w: Buf, _d_y: Buf, _index: Indices, _spec: EmbeddingSpec) {
        todo!()
    }
}
