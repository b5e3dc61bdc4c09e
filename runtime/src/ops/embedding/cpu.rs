//! Look-ups on the CPU.

use super::{Embedding, EmbeddingSpec};
use crate::device::{Buf, CpuStep, Indices};

/// Floats that one thread copies at a time, at least.
const CHUNK: usize = 1 << 13;
/// The floats of the part of a table whose gradient one thread sums, at least. Each part reads all
/// indices, so parts are large.
const PART: usize = 1 << 14;

impl Embedding for CpuStep<'_> {
    fn embedding(&mut self, y: Buf, index: Indices, w: Buf, spec: EmbeddingSpec) {
        let (index, threads, dim) = (self.indices(index), self.threads(), spec.dim);
        let ([y], [w]) = self.views([y.part(0, spec.count * dim)], [w]);
        let each = CHUNK.div_ceil(dim);
        threads.split(y.len(), y, each * dim, |chunk, y| {
            let index = &index[chunk * each..];
            for (y, &row) in y.chunks_exact_mut(dim).zip(index) {
                y.copy_from_slice(&w[row as usize * dim..][..dim]);
            }
        });
    }

    fn embedding_grad(&mut self, d_w: Buf, d_y: Buf, index: Indices, spec: EmbeddingSpec) {
        let (index, threads, dim) = (self.indices(index), self.threads(), spec.dim);
        let ([d_w], [d_y]) = self.views([d_w.part(0, spec.rows * dim)], [d_y]);
        let each = PART.div_ceil(dim);
        threads.split(d_w.len() + d_y.len(), d_w, each * dim, |part, d_w| {
            d_w.fill(0.0);
            let first = part * each;
            for (d_y, &row) in d_y.chunks_exact(dim).zip(index) {
                let at = (row as usize).wrapping_sub(first).wrapping_mul(dim);
                if spec.padding == Some(row as usize) || at >= d_w.len() {
                    continue;
                }
                d_w[at..][..dim].iter_mut().zip(d_y).for_each(|(sum, d_y)| *sum += d_y);
            }
        });
    }
}
