//! Rotations on the CPU. The angles of a position are computed once for all rows at it.

use super::{Rotary, RotarySpec, angle};
use crate::device::{Buf, CpuKernels, SharedMut};
use crate::math::{self, Far, MOST_ANGLE, simd};
use crate::ops::{product, sum};

/// Pairs whose angles are kept at a time.
const PAIRS: usize = 128;
/// Positions that one thread takes at a time.
const POSITIONS: usize = 8;

/// Cosines and sines.
type Turn = [[f32; PAIRS]; 2];

impl Rotary for CpuKernels<'_> {
    fn rotary(&mut self, y: Buf, x: Buf, spec: RotarySpec) {
        let (threads, level) = (self.threads(), self.level());
        let RotarySpec { outer, len, inner, dim, .. } = spec;
        let ([y], [x]) = self.views([y.part(0, product([outer, len, inner, dim]))], [x]);
        let (count, half) = (y.len(), dim / 2);
        let y = SharedMut::new(y);
        threads.run_if(count, len.div_ceil(POSITIONS), &|block| {
            let mut turn = [[0.0; PAIRS]; 2];
            let positions = (block * POSITIONS..len).take(POSITIONS);
            for (t, from) in positions.flat_map(|t| (0..half).step_by(PAIRS).map(move |p| (t, p))) {
                let pairs = PAIRS.min(half - from);
                for (p, angle_of) in turn[0].iter_mut().enumerate().take(pairs) {
                    let angle = angle(sum([spec.past, t]), from + p, dim, spec.base);
                    *angle_of = if spec.inverse { -angle } else { angle };
                }
                resolve(level, &mut turn, pairs);
                for row in
                    (0..outer).flat_map(|o| (0..inner).map(move |i| (o * len + t) * inner + i))
                {
                    let x = &x[row * dim..][..dim];
                    // SAFETY: `at` checks the bounds, and rows of different positions are
                    // different: those of this one are this call's alone.
                    let y = unsafe { std::slice::from_raw_parts_mut(y.at(row * dim, dim), dim) };
                    rotate(level, y, x, &turn, from, pairs, spec.interleaved);
                }
            }
        });
    }

    fn sinusoidal(&mut self, y: Buf, len: usize, dim: usize, base: f32) {
        let (threads, level) = (self.threads(), self.level());
        let ([y], []) = self.views([y.part(0, product([len, dim]))], []);
        threads.split(16 * y.len(), y, dim, |t, y| {
            for (chunk, y) in y.chunks_mut(2 * PAIRS).enumerate() {
                let mut turn = [[0.0; PAIRS]; 2];
                let pairs = y.len().div_ceil(2);
                for (p, angle_of) in turn[0].iter_mut().enumerate().take(pairs) {
                    *angle_of = angle(t, chunk * PAIRS + p, dim, base);
                }
                resolve(level, &mut turn, pairs);
                for (i, y) in y.iter_mut().enumerate() {
                    *y = turn[1 - i % 2][i / 2];
                }
            }
        });
    }
}

simd! {
    /// Angles, the first of both rows, to their cosines and sines.
    fn resolve<A>(turn: &mut Turn, pairs: usize) {
        let [cos, sin] = turn;
        let (cos, sin) = (&mut cos[..pairs], &mut sin[..pairs]);
        if cos.iter().any(|angle| angle.abs() > MOST_ANGLE) {
            for (cos, sin) in cos.iter_mut().zip(sin) {
                let angle = *cos;
                *cos = math::cos::<Far<A>>(angle);
                *sin = math::sin::<Far<A>>(angle);
            }
            return;
        }
        for (cos, sin) in cos.iter_mut().zip(sin) {
            let angle = *cos;
            *cos = math::cos::<A>(angle);
            *sin = math::sin::<A>(angle);
        }
    }
}

simd! {
    /// The pairs from `from` on of a row.
    fn rotate<A>(
        y: &mut [f32],
        x: &[f32],
        turn: &Turn,
        from: usize,
        pairs: usize,
        interleaved: bool,
    ) {
        let (cos, sin) = (&turn[0][..pairs], &turn[1][..pairs]);
        if interleaved {
            let pairs = y[2 * from..].chunks_exact_mut(2).zip(x[2 * from..].chunks_exact(2));
            for ((y, x), (cos, sin)) in pairs.zip(cos.iter().zip(sin)) {
                y[0] = x[0] * cos - x[1] * sin;
                y[1] = x[1] * cos + x[0] * sin;
            }
            return;
        }
        let half = y.len() / 2;
        let (y_a, y_b) = y.split_at_mut(half);
        let (y_a, y_b) = (&mut y_a[from..][..pairs], &mut y_b[from..][..pairs]);
        let (x_a, x_b) = (&x[from..][..pairs], &x[half + from..][..pairs]);
        for p in 0..pairs {
            y_a[p] = x_a[p] * cos[p] - x_b[p] * sin[p];
            y_b[p] = x_b[p] * cos[p] + x_a[p] * sin[p];
        }
    }
}
