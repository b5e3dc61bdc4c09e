//! Running sums on the CPU.

use super::{Cumsum, CumsumSpec};
use crate::device::{Buf, CpuStep};

impl Cumsum for CpuStep<'_> {
    fn cumsum(&mut self, y: Buf, x: Buf, spec: CumsumSpec) {
        let CumsumSpec { outer, size, inner, reverse } = spec;
        let (threads, block) = (self.threads(), size * inner);
        let ([y], [x]) = self.views([y.part(0, outer * block)], [x]);
        if block == 0 {
            return;
        }
        threads.split(2 * y.len(), y, block, |o, y| {
            y.copy_from_slice(&x[o * block..][..block]);
            for turn in 1..size {
                let [from, to] = match reverse {
                    true => [size - turn, size - 1 - turn],
                    false => [turn - 1, turn],
                };
                let (low, high) = y.split_at_mut(from.max(to) * inner);
                let (a, b) = (&mut low[from.min(to) * inner..], &mut high[..inner]);
                let (to, from) = if reverse { (a, b) } else { (b, a) };
                to.iter_mut().zip(from.iter()).for_each(|(sum, before)| *sum += *before);
            }
        });
    }
}
