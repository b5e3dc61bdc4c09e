//! Places of maxima on the CPU.

use super::{Argmax, check};
use crate::device::{Buf, CpuKernels};
use crate::ops::softmax::SoftmaxSpec;
use crate::ops::{check_len, product};

/// Results that one thread takes at a time.
const CHUNK: usize = 64;

impl Argmax for CpuKernels<'_> {
    fn argmax(&mut self, y: Buf, x: Buf, spec: SoftmaxSpec) {
        let SoftmaxSpec { outer, size, inner } = spec;
        check(size);
        let threads = self.threads();
        let ([y], [x]) = self.views([y.part(0, product([outer, inner]))], [x]);
        check_len("what has a maximum", x.len(), spec.elements());
        threads.split(x.len(), y, CHUNK, |chunk, y| {
            for (at, y) in (chunk * CHUNK..).zip(y) {
                let column = x[at / inner * size * inner + at % inner..].iter().step_by(inner);
                let (mut place, mut best) = (0, f32::NEG_INFINITY);
                for (k, x) in column.take(size).enumerate() {
                    if *x > best || x.is_nan() && !best.is_nan() {
                        (place, best) = (k, *x);
                    }
                }
                *y = place as f32;
            }
        });
    }
}
