//! Choices on the CPU; a thread takes whole blocks behind the first axes.

use super::{Gather, GatherSpec};
use crate::device::{Buf, CpuKernels, Indices};
use crate::ops::{check_len, product};

/// Elements that one thread takes at a time, at least.
const CHUNK: usize = 1 << 12;
/// Choices from one place whose gradients are added up in `f32`, at most.
const CHAIN: usize = 64;
/// Sums that are carried in `f64` on the stack, and how often the choices are read for them, at
/// most.
const SUMS: usize = 1 << 13;
const PASSES: usize = 8;
/// Neighbouring columns that are summed together.
const COLUMNS: usize = 16;

impl GatherSpec {
    /// Panics where `x`, `y` and the choices do not have these sizes.
    fn check(&self, x: usize, y: usize, index: usize) {
        let Self { outer, size, count, inner } = *self;
        check_len("what is chosen from", x, product([outer, size, inner]));
        check_len("what was chosen", y, product([outer, count, inner]));
        check_len("the choices", index, y);
    }
}

impl Gather for CpuKernels<'_> {
    fn gather(&mut self, y: Buf, x: Buf, index: Indices, spec: GatherSpec) {
        let GatherSpec { size, count, inner, .. } = spec;
        let (threads, index) = (self.threads(), self.indices(index));
        let ([y], [x]) = self.views([y], [x]);
        spec.check(x.len(), y.len(), index.len());
        let block = (count * inner).max(1);
        let each = CHUNK.div_ceil(block);
        threads.split(2 * y.len(), y, each * block, |chunk, y| {
            let first = chunk * each;
            for (o, y) in (first..).zip(y.chunks_exact_mut(block)) {
                let (x, index) = (&x[o * size * inner..], &index[o * block..]);
                for ((at, y), row) in y.iter_mut().enumerate().zip(index) {
                    assert!((*row as usize) < size, "place {row} is none of {size}");
                    *y = x[*row as usize * inner + at % inner];
                }
            }
        });
    }

    fn gather_grad(&mut self, d_x: Buf, d_y: Buf, index: Indices, spec: GatherSpec) {
        let GatherSpec { size, count, inner, .. } = spec;
        let (threads, index) = (self.threads(), self.indices(index));
        let ([d_x], [d_y]) = self.views([d_x], [d_y]);
        spec.check(d_x.len(), d_y.len(), index.len());
        let (block, from) = ((size * inner).max(1), count * inner);
        let each = CHUNK.div_ceil(block);
        threads.split(2 * d_x.len(), d_x, each * block, |chunk, d_x| {
            d_x.fill(0.0);
            let first = chunk * each;
            for (o, d_x) in (first..).zip(d_x.chunks_exact_mut(block)) {
                let (d_y, index) = (&d_y[o * from..][..from], &index[o * from..]);
                if count > CHAIN && size * COLUMNS.min(inner) <= PASSES * SUMS {
                    many_to_few(d_x, d_y, index, inner);
                    continue;
                }
                for ((at, d_y), row) in d_y.iter().enumerate().zip(index) {
                    assert!((*row as usize) < size, "place {row} is none of {size}");
                    d_x[*row as usize * inner + at % inner] += d_y;
                }
            }
        });
    }
}

/// `d_x [size, inner]` from any number of choices, in `f64`: one place may be chosen by all of
/// them.
fn many_to_few(d_x: &mut [f32], d_y: &[f32], index: &[u32], inner: usize) {
    for col in (0..inner).step_by(COLUMNS) {
        let cols = COLUMNS.min(inner - col);
        for (part, d_x) in d_x.chunks_mut(SUMS / cols * inner).enumerate() {
            let (first, places) = (part * (SUMS / cols), d_x.len() / inner);
            let mut sums = [0.0_f64; SUMS];
            for (d_y, index) in d_y.chunks_exact(inner).zip(index.chunks_exact(inner)) {
                for (i, (d_y, place)) in d_y[col..][..cols].iter().zip(&index[col..]).enumerate() {
                    let place = (*place as usize).wrapping_sub(first);
                    if place < places {
                        sums[place * cols + i] += f64::from(*d_y);
                    }
                }
            }
            for (d_x, sums) in d_x.chunks_exact_mut(inner).zip(sums.chunks_exact(cols)) {
                d_x[col..].iter_mut().zip(sums).for_each(|(d_x, sum)| *d_x = *sum as f32);
            }
        }
    }
}
