//! Dropout on the CPU.

use super::{Dropout, DropoutSpec, GROUP, stream};
use crate::device::{Buf, CpuKernels, Random};
use crate::math::simd;
use crate::rng::philox4x32_10;

/// Elements that one thread takes at a time, whole groups.
const CHUNK: usize = 64 * GROUP;
/// The work of an element in floats moved.
const WORK: usize = 4;

impl Dropout for CpuKernels<'_> {
    fn dropout(&mut self, y: Buf, call: Buf, x: Buf, spec: DropoutSpec) {
        let number = self.next_call();
        if call.len > 0 {
            let ([call], []) = self.views([call.part(0, 1)], []);
            call[0] = f32::from_bits(number);
        }
        self.drop_elements(y, x, number, spec);
    }

    fn dropout_grad(&mut self, d_x: Buf, d_y: Buf, call: Buf, spec: DropoutSpec) {
        let ([], [call]) = self.views([], [call]);
        let number = call[0].to_bits();
        self.drop_elements(d_x, d_y, number, spec);
    }
}

impl CpuKernels<'_> {
    fn drop_elements(&mut self, y: Buf, x: Buf, call: u32, spec: DropoutSpec) {
        let (threads, level, random) = (self.threads(), self.level(), self.random());
        let len = y.len;
        let (y, x) = match y == x {
            true => (self.views([y], []).0, None),
            false => {
                let (y, [x]) = self.views([y], [x]);
                (y, Some(x))
            }
        };
        let [y] = y;
        threads.split(WORK * len, y, CHUNK, |chunk, y| {
            if let Some(x) = x {
                y.copy_from_slice(&x[chunk * CHUNK..][..y.len()]);
            }
            drop_in_place(level, y, chunk * (CHUNK / GROUP), random, call, spec);
        });
    }
}

simd! {
    /// Drops elements of whole groups from `first` on; the last may be shorter.
    fn drop_in_place<A>(
        y: &mut [f32],
        first: usize,
        random: Random,
        call: u32,
        spec: DropoutSpec,
    ) {
        let (stream, seed) = (stream(random, call), random.seed.0);
        let key = [seed as u32, (seed >> 32) as u32];
        // A word of 32 bits below 2³² is below `threshold` where it is at most one less.
        let (threshold, scale) = (spec.threshold(), spec.scale());
        for (group, y) in y.chunks_mut(GROUP).enumerate() {
            let index = 16 * (first + group) as u64;
            let mut words = [[0_u32; 16]; 4];
            let [w0, w1, w2, w3] = &mut words;
            let blocks = w0.iter_mut().zip(w1).zip(w2).zip(w3);
            for (index, (((w0, w1), w2), w3)) in (index..).zip(blocks) {
                let counter =
                    [index as u32, (index >> 32) as u32, stream as u32, (stream >> 32) as u32];
                [*w0, *w1, *w2, *w3] = philox4x32_10(counter, key);
            }
            for (y, word) in y.iter_mut().zip(words.as_flattened()) {
                *y = if u64::from(*word) >= threshold { *y * scale } else { 0.0 };
            }
        }
    }
}
