//! Matrix products on the CPU.

use super::gemm::{View, gemm};
use super::{Matmul, MatmulSpec};
use crate::device::{Buf, CpuStep};

impl Matmul for CpuStep<'_> {
    fn matmul(&mut self, y: Buf, a: Buf, b: Buf, spec: MatmulSpec) {
        let (threads, level) = (self.threads(), self.level());
        let ([y], [a, b]) = self.views([y], [a, b]);
        let ((a_row, a_col), (b_row, b_col)) = (spec.a_strides(), spec.b_strides());
        let a = View { data: a, row: a_row, col: a_col };
        let b = View { data: b, row: b_row, col: b_col };
        gemm(threads, level, y, a, b, (spec.m, spec.k, spec.n));
    }
}
