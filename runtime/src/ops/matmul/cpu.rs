//! Matrix products on the CPU.

use super::gemm::{View, gemm};
use super::{Matmul, MatmulSpec};
use crate::device::{Buf, CpuStep, SharedMut};
use crate::ops::Finish;
use crate::ops::elementwise::{Elementwise, Operands};

impl CpuStep<'_> {
    /// `matmul`, each part of `y` finished where it is computed.
    fn matmul_then(&mut self, [y, a, b]: [Buf; 3], spec: MatmulSpec, finish: Finish<'_>) {
        let (threads, how) = (self.threads(), (self.level(), self.precision()));
        let ([y], [a, b]) = self.views([y], [a, b]);
        let y = SharedMut::new(y);
        gemm(threads, how, &y, View::of_a(a, spec), View::of_b(b, spec), spec.sizes(), finish);
    }
}

impl Matmul for CpuStep<'_> {
    fn matmul(&mut self, y: Buf, a: Buf, b: Buf, spec: MatmulSpec) {
        self.matmul_then([y, a, b], spec, None);
    }

    fn matmul_map<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
        &mut self,
        y: Buf,
        a: Buf,
        b: Buf,
        spec: MatmulSpec,
        then: Operands<IN, OUT, S, R>,
    ) where
        E: Elementwise<IN, OUT, S>,
    {
        let (level, map) = (self.level(), self.follow::<E, IN, OUT, S, R>(y, &[a, b], then));
        // SAFETY: parts are complete and apart, and the product does not use what the chain does.
        let finish = |start, len| unsafe { map.run(level, start, len) };
        self.matmul_then([y, a, b], spec, Some(&finish));
    }
}
