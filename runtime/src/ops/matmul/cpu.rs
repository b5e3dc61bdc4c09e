//! Matrix products on the CPU.

use super::gemm::{View, gemm};
use super::{Matmul, MatmulSpec};
use crate::device::{Buf, CpuStep, SharedMut};

impl Matmul for CpuStep<'_> {
    fn matmul(&mut self, y: Buf, a: Buf, b: Buf, spec: MatmulSpec) {
        let (threads, level) = (self.threads(), self.level());
        let ([y], [a, b]) = self.views([y], [a, b]);
        let y = SharedMut::new(y);
        gemm(threads, level, &y, View::of_a(a, spec), View::of_b(b, spec), spec.sizes(), None);
    }
}
