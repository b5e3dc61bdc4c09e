//! Choices on the CPU; a thread takes whole blocks behind the first axes.

use super::{Gather, GatherSpec};
use crate::device::{Buf, CpuStep, Indices};

/// Elements that one thread takes at a time, at least.
const CHUNK: usize = 1 << 12;

impl Gather for CpuStep<'_> {
    fn gather(&mut self, y: Buf, x: Buf, index: Indices, spec: GatherSpec) {
        let GatherSpec { size, count, inner, .. } = spec;
        let (threads, index) = (self.threads(), self.indices(index));
        let ([y], [x]) = self.views([y.part(0, spec.outer * count * inner)], [x]);
        let block = (count * inner).max(1);
        let each = CHUNK.div_ceil(block);
        threads.split(2 * y.len(), y, each * block, |chunk, y| {
            let first = chunk * each;
            for (o, y) in (first..).zip(y.chunks_exact_mut(block)) {
                let (x, index) = (&x[o * size * inner..], &index[o * block..]);
                for ((at, y), row) in y.iter_mut().enumerate().zip(index) {
                    *y = x[*row as usize * inner + at % inner];
                }
            }
        });
    }

    fn gather_grad(&mut self, d_x: Buf, d_y: Buf, index: Indices, spec: GatherSpec) {
        let GatherSpec { size, count, inner, .. } = spec;
        let (threads, index) = (self.threads(), self.indices(index));
        let ([d_x], [d_y]) = self.views([d_x.part(0, spec.outer * size * inner)], [d_y]);
        let (block, from) = ((size * inner).max(1), count * inner);
        let each = CHUNK.div_ceil(block);
        threads.split(2 * d_x.len(), d_x, each * block, |chunk, d_x| {
            d_x.fill(0.0);
            let first = chunk * each;
            for (o, d_x) in (first..).zip(d_x.chunks_exact_mut(block)) {
                let (d_y, index) = (&d_y[o * from..][..from], &index[o * from..]);
                for ((at, d_y), row) in d_y.iter().enumerate().zip(index) {
                    d_x[*row as usize * inner + at % inner] += d_y;
                }
            }
        });
    }
}
