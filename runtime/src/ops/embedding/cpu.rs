//! Look-ups on the CPU.

use super::{Embedding, EmbeddingSpec};
use crate::device::{Buf, CpuKernels, Indices};
use crate::ops::{check_len, product};

/// Floats that one thread copies at a time, at least.
const CHUNK: usize = 1 << 13;
/// The floats of the part of a table whose gradient one thread sums, at most. Each part reads all
/// indices, so parts are large.
const PART: usize = 1 << 13;

impl Embedding for CpuKernels<'_> {
    fn embedding(&mut self, y: Buf, index: Indices, w: Buf, spec: EmbeddingSpec) {
        let (index, threads, dim) = (self.indices(index), self.threads(), spec.dim);
        let ([y], [w]) = self.views([y.part(0, product([spec.count, dim]))], [w]);
        check_len("the indices of a look-up", index.len(), spec.count);
        check_len("a table", w.len(), product([spec.rows, dim]));
        if y.is_empty() {
            return;
        }
        let each = CHUNK.div_ceil(dim);
        threads.split(y.len(), y, each * dim, |chunk, y| {
            let index = &index[chunk * each..];
            for (y, &row) in y.chunks_exact_mut(dim).zip(index) {
                assert!((row as usize) < spec.rows, "row {row} is none of the {} rows", spec.rows);
                y.copy_from_slice(&w[row as usize * dim..][..dim]);
            }
        });
    }

    fn embedding_grad(&mut self, d_w: Buf, d_y: Buf, index: Indices, spec: EmbeddingSpec) {
        let (index, threads, dim) = (self.indices(index), self.threads(), spec.dim);
        let ([d_w], [d_y]) = self.views([d_w.part(0, product([spec.rows, dim]))], [d_y]);
        check_len("the indices of a look-up", index.len(), spec.count);
        check_len("the gradient of a look-up", d_y.len(), product([spec.count, dim]));
        // Rows of a part, or columns of one row.
        let (each, cols) = ((PART / dim.max(1)).max(1), dim.clamp(1, PART));
        threads.split(d_w.len() + d_y.len(), d_w, each * dim, |part, d_w| {
            let first = part * each;
            for col in (0..dim).step_by(cols) {
                let cols = cols.min(dim - col);
                // In `f64`, since a row may be looked up any number of times.
                let mut sums = [0.0_f64; PART];
                for (d_y, &row) in d_y.chunks_exact(dim).zip(index) {
                    let at = (row as usize).wrapping_sub(first);
                    if spec.padding == Some(row as usize) || at >= d_w.len() / dim {
                        continue;
                    }
                    let sums = &mut sums[at * cols..][..cols];
                    for (sum, d_y) in sums.iter_mut().zip(&d_y[col..]) {
                        *sum += f64::from(*d_y);
                    }
                }
                for (d_w, sums) in d_w.chunks_exact_mut(dim).zip(sums.chunks_exact(cols)) {
                    d_w[col..].iter_mut().zip(sums).for_each(|(d_w, sum)| *d_w = *sum as f32);
                }
            }
        });
    }
}
