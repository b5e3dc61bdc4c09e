//! Selection on the CPU.

use super::Hold;
use crate::device::{Buf, CpuStep, Indices};

/// Floats that one thread copies at a time, at least.
const CHUNK: usize = 1 << 13;

impl Hold for CpuStep<'_> {
    fn hold(&mut self, y: Buf, new: Buf, old: Buf, length: Indices, t: usize) {
        let (threads, length) = (self.threads(), self.indices(length));
        let ([y], [new, old]) = self.views([y], [new, old]);
        let row = y.len() / length.len();
        if row == 0 {
            return;
        }
        let each = CHUNK.div_ceil(row);
        threads.split(y.len(), y, each * row, |chunk, y| {
            let first = chunk * each;
            for ((i, y), length) in (first..).zip(y.chunks_exact_mut(row)).zip(&length[first..]) {
                match (t < *length as usize, old.is_empty()) {
                    (true, _) => y.copy_from_slice(&new[i * row..][..row]),
                    (false, false) => y.copy_from_slice(&old[i * row..][..row]),
                    (false, true) => y.fill(0.0),
                }
            }
        });
    }
}
