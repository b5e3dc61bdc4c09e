//! Concatenation on the CPU: copies of runs.

use super::{Cat, CatSpec};
use crate::device::{Buf, CpuKernels, SharedMut};
use crate::ops::{check_len, product, sum};

impl CatSpec {
    /// Panics where the operand and the whole do not have these sizes.
    fn check(&self, whole: usize, operand: usize) {
        let Self { outer, start, len, total } = *self;
        assert!(
            sum([start, len]) <= total,
            "gradiron: columns {start} and {len} more are not {total} (a bug)"
        );
        check_len("an operand that is joined", operand, product([outer, len]));
        check_len("what is joined", whole, product([outer, total]));
    }
}

/// Floats of the operand that one thread moves at a time.
const CHUNK: usize = 1 << 14;

/// Calls `f(place in the operand, place in the whole, length)` for the runs of a chunk.
#[inline(always)]
fn runs(spec: CatSpec, chunk: usize, mut f: impl FnMut(usize, usize, usize)) {
    let (mut at, end) = (chunk * CHUNK, (spec.outer * spec.len).min((chunk + 1) * CHUNK));
    while at < end {
        let (row, column) = (at / spec.len, at % spec.len);
        let run = (spec.len - column).min(end - at);
        f(at, row * spec.total + spec.start + column, run);
        at += run;
    }
}

impl Cat for CpuKernels<'_> {
    fn cat(&mut self, y: Buf, x: Buf, spec: CatSpec) {
        let threads = self.threads();
        let ([y], [x]) = self.views([y], [x]);
        spec.check(y.len(), x.len());
        let y = SharedMut::new(y);
        threads.run_if(x.len(), x.len().div_ceil(CHUNK), &|chunk| {
            runs(spec, chunk, |from, to, len| {
                let x = &x[from..from + len];
                // SAFETY: `at` checks the bounds. Runs of different chunks are of different
                // elements of the operand, which have different places in the whole: `check` found
                // `start + len` columns in each row of `total`.
                unsafe { std::slice::from_raw_parts_mut(y.at(to, len), len) }.copy_from_slice(x);
            });
        });
    }

    fn cat_grad(&mut self, d_x: Buf, d_y: Buf, spec: CatSpec) {
        let threads = self.threads();
        let ([d_x], [d_y]) = self.views([d_x], [d_y]);
        spec.check(d_y.len(), d_x.len());
        threads.split(d_x.len(), d_x, CHUNK, |chunk, d_x| {
            runs(spec, chunk, |to, from, len| {
                d_x[to - chunk * CHUNK..][..len].copy_from_slice(&d_y[from..from + len]);
            });
        });
    }
}
