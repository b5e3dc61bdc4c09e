//! Matrix products on the CPU.

use super::gemm::{gemm, pack_all};
use super::view::View;
use super::{Matmul, MatmulSpec};
use crate::device::{Buf, CpuKernels, SharedMut};
use crate::ops::elementwise::{Elementwise, Operands};
use crate::ops::{Finish, check_len, product};

impl CpuKernels<'_> {
    /// `matmul`, each part of `y` finished where it is computed; `packed` is empty, or what
    /// `matmul_pack` made of `b`.
    fn matmul_then(&mut self, [y, a, b, packed]: [Buf; 4], spec: MatmulSpec, finish: Finish<'_>) {
        let (threads, how) = (self.threads(), (self.level(), self.precision()));
        let ([y], [a, b, packed]) = self.views([y], [a, b, packed]);
        check_len("a product", y.len(), product([spec.m, spec.n]));
        let y = SharedMut::new(y);
        let b = View::of_b(b, spec).with_panels(packed);
        gemm(threads, how, &y, View::of_a(a, spec), b, spec.sizes(), finish);
    }
}

impl Matmul for CpuKernels<'_> {
    fn matmul(&mut self, y: Buf, a: Buf, b: Buf, spec: MatmulSpec) {
        self.matmul_then([y, a, b, b.part(0, 0)], spec, None);
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
        let (level, map) = (self.level(), self.follow::<E, IN, OUT, S, R>(&[y], &[a, b], then));
        // SAFETY: a part is finished once, when the product is done with it, and parts are apart; `follow`
        // checked that the chain uses nothing else of what the product reads or writes.
        let finish = |start, len| unsafe { map.run(level, start, len) };
        self.matmul_then([y, a, b, b.part(0, 0)], spec, Some(&finish));
    }

    fn matmul_pack(&mut self, packed: Buf, b: Buf, spec: MatmulSpec) {
        if spec.packed_len() > 0 {
            let (threads, level) = (self.threads(), self.level());
            let ([packed], [b]) = self.views([packed], [b]);
            pack_all(threads, level, packed, View::of_b(b, spec), (spec.k, spec.n));
        }
    }

    fn matmul_packed(&mut self, y: Buf, a: Buf, b: Buf, packed: Buf, spec: MatmulSpec) {
        self.matmul_then([y, a, b, packed], spec, None);
    }

    fn matmul_packed_map<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
        &mut self,
        y: Buf,
        a: Buf,
        b: Buf,
        packed: Buf,
        spec: MatmulSpec,
        then: Operands<IN, OUT, S, R>,
    ) where
        E: Elementwise<IN, OUT, S>,
    {
        let reads = [a, b, packed];
        let (level, map) = (self.level(), self.follow::<E, IN, OUT, S, R>(&[y], &reads, then));
        // SAFETY: a part is finished once, when the product is done with it, and parts are apart; `follow`
        // checked that the chain uses nothing else of what the product reads or writes.
        let finish = |start, len| unsafe { map.run(level, start, len) };
        self.matmul_then([y, a, b, packed], spec, Some(&finish));
    }
}
