//! Running sums on the CPU: of up to [`COLUMNS`] neighbouring columns at a time, carried in `f64`.

use super::{Cumsum, CumsumSpec};
use crate::device::{Buf, CpuKernels};
use crate::ops::{check_len, product};

/// Columns whose sums are carried side by side.
const COLUMNS: usize = 64;

impl Cumsum for CpuKernels<'_> {
    fn cumsum(&mut self, y: Buf, x: Buf, spec: CumsumSpec) {
        let CumsumSpec { outer, size, inner, reverse } = spec;
        let (threads, block) = (self.threads(), product([size, inner]));
        let ([y], [x]) = self.views([y.part(0, product([outer, block]))], [x]);
        check_len("what is summed up", x.len(), y.len());
        if block == 0 {
            return;
        }
        threads.split(2 * y.len(), y, block, |o, y| {
            let x = &x[o * block..][..block];
            for col in (0..inner).step_by(COLUMNS) {
                let (mut sums, cols) = ([0.0_f64; COLUMNS], COLUMNS.min(inner - col));
                for turn in 0..size {
                    let place = if reverse { size - 1 - turn } else { turn };
                    let at = place * inner + col;
                    let row = y[at..][..cols].iter_mut().zip(&x[at..][..cols]);
                    for (sum, (y, x)) in sums.iter_mut().zip(row) {
                        *sum += f64::from(*x);
                        *y = *sum as f32;
                    }
                }
            }
        });
    }
}
