//! Selection on the CPU.

use super::{First, Padding};
use crate::device::{Buf, CpuKernels, Indices};
use crate::ops::{check_len, product};

/// Floats that one thread copies at a time, at least.
const CHUNK: usize = 1 << 13;

/// The floats of each of so many rows.
fn row_of(floats: usize, rows: usize) -> usize {
    let row = floats / rows.max(1);
    check_len("rows of samples", floats, product([rows, row]));
    row
}

impl Padding for CpuKernels<'_> {
    fn advance(&mut self, y: Buf, new: Buf, old: Buf, length: Indices, t: usize) {
        let (threads, length) = (self.threads(), self.indices(length));
        let ([y], [new, old]) = self.views([y], [new, old]);
        let row = row_of(y.len(), length.len());
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

    fn zero_padding(&mut self, y: Buf, x: Buf, length: Indices, steps: usize) {
        let (threads, length) = (self.threads(), self.indices(length));
        let ([y], [x]) = self.views([y], [x]);
        check_len("a cut", x.len(), y.len());
        let row = row_of(y.len(), product([length.len(), steps]));
        if row == 0 {
            return;
        }
        let sample = steps * row;
        let each = CHUNK.div_ceil(sample);
        threads.split(y.len(), y, each * sample, |chunk, y| {
            let first = chunk * each;
            for ((i, y), length) in (first..).zip(y.chunks_exact_mut(sample)).zip(&length[first..])
            {
                let (kept, rest) = y.split_at_mut(row * (*length as usize).min(steps));
                kept.copy_from_slice(&x[i * sample..][..kept.len()]);
                rest.fill(0.0);
            }
        });
    }

    fn replay(&mut self, y: Buf, now: Buf, all: Buf, length: Indices, t: usize, first: First) {
        let (threads, length) = (self.threads(), self.indices(length));
        let ([y], [now, all]) = self.views([y], [now, all]);
        let row = row_of(y.len(), length.len());
        if row == 0 {
            return;
        }
        let (each, batch) = (CHUNK.div_ceil(row), length.len());
        let other = length.iter().position(|length| *length > 0);
        threads.split(y.len(), y, each * row, |chunk, y| {
            for (i, y) in (chunk * each..).zip(y.chunks_exact_mut(row)) {
                let source = if length[i] > 0 { Some(i) } else { other };
                match source {
                    _ if t < length[i] as usize => y.copy_from_slice(&now[i * row..][..row]),
                    Some(source) => {
                        let place = first.of(length[source] as usize) * batch + source;
                        y.copy_from_slice(&all[place * row..][..row]);
                    }
                    None => y.fill(1.0),
                }
            }
        });
    }
}
