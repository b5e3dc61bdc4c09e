//! Cross products on the CPU; a thread takes whole blocks behind the first axes.

use super::{Cross, CrossSpec};
use crate::device::{Buf, CpuKernels};
use crate::ops::{check_len, product};

/// Elements that one thread takes at a time, at least.
const CHUNK: usize = 1 << 12;

impl Cross for CpuKernels<'_> {
    fn cross(&mut self, y: Buf, a: Buf, b: Buf, spec: CrossSpec) {
        let CrossSpec { outer, inner } = spec;
        let (threads, block) = (self.threads(), product([3, inner]));
        let ([y], [a, b]) = self.views([y.part(0, product([outer, block]))], [a, b]);
        check_len("the first factor of a cross product", a.len(), y.len());
        check_len("the second factor of a cross product", b.len(), y.len());
        if block == 0 {
            return;
        }
        let each = CHUNK.div_ceil(block);
        threads.split(3 * y.len(), y, each * block, |chunk, y| {
            let start = chunk * each * block;
            let (a, b) = (a[start..].chunks_exact(block), b[start..].chunks_exact(block));
            for (y, (a, b)) in y.chunks_exact_mut(block).zip(a.zip(b)) {
                for (i, y) in y.chunks_exact_mut(inner).enumerate() {
                    let row = |of: &'_ [f32], i: usize, c: usize| of[i % 3 * inner + c];
                    for (c, y) in y.iter_mut().enumerate() {
                        *y = row(a, i + 1, c) * row(b, i + 2, c)
                            - row(a, i + 2, c) * row(b, i + 1, c);
                    }
                }
            }
        });
    }
}
