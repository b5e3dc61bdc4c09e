//! Conversions on the CPU.

use super::{Convert, floats};
use crate::device::{Buf, CpuKernels};
use crate::math::{bf16, simd};

/// Values that one thread converts at a time: an even number.
const CHUNK: usize = 1 << 14;

impl Convert for CpuKernels<'_> {
    fn narrow(&mut self, y: Buf, x: Buf) {
        let (threads, level) = (self.threads(), self.level());
        let ([y], [x]) = self.views([y.part(0, floats(x.len))], [x]);
        threads.split(2 * x.len(), y, CHUNK / 2, |i, y| {
            let x = &x[i * CHUNK..];
            let x = &x[..x.len().min(CHUNK)];
            // A value that is alone in its place.
            if let (true, Some(last)) = (x.len() % 2 == 1, y.last_mut()) {
                *last = 0.0;
            }
            narrow(level, bytemuck::cast_slice_mut(y), x);
        });
    }

    fn widen(&mut self, y: Buf, x: Buf) {
        let (threads, level) = (self.threads(), self.level());
        let ([y], [x]) = self.views([y], [x.part(0, floats(y.len))]);
        threads.split(2 * y.len(), y, CHUNK, |i, y| {
            let x = &x[i * CHUNK / 2..];
            widen(level, y, bytemuck::cast_slice(x));
        });
    }
}

simd! {
    fn narrow<A>(y: &mut [u16], x: &[f32]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = bf16::narrow(*x);
        }
    }
}

simd! {
    fn widen<A>(y: &mut [f32], x: &[u16]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = bf16::widen(*x);
        }
    }
}
