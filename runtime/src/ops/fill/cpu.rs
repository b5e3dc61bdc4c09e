//! Copies on the CPU.

use super::Fill;
use crate::device::{Buf, CpuKernels};

/// Floats that one thread moves at a time.
const CHUNK: usize = 1 << 15;

impl Fill for CpuKernels<'_> {
    fn copy(&mut self, y: Buf, x: Buf) {
        let threads = self.threads();
        let ([y], [x]) = self.views([y], [x]);
        threads.split(y.len(), y, CHUNK, |i, y| y.copy_from_slice(&x[i * CHUNK..][..y.len()]));
    }

    fn accumulate(&mut self, y: Buf, x: Buf) {
        let threads = self.threads();
        let ([y], [x]) = self.views([y], [x]);
        threads.split(y.len(), y, CHUNK, |i, y| {
            y.iter_mut().zip(&x[i * CHUNK..]).for_each(|(y, x)| *y += x);
        });
    }

    fn fill(&mut self, y: Buf, value: f32) {
        let threads = self.threads();
        let ([y], []) = self.views([y], []);
        threads.split(y.len(), y, CHUNK, |_, y| y.fill(value));
    }
}
