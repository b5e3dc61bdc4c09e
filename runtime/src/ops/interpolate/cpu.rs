//! Interpolation on the CPU: rows in parallel.

use super::{Interpolate, InterpolateMode, InterpolateSpec, bilinear};
use crate::device::{Buf, CpuKernels};
use crate::math::simd;
use crate::ops::check_len;

/// Floats of the larger side that one thread makes or reads at a time, at least.
const CHUNK: usize = 1 << 14;

/// Rows of the input that one thread takes at a time, and their outputs.
fn rows_each(spec: InterpolateSpec) -> usize {
    CHUNK.div_ceil(spec.out_width() * spec.scale[0])
}

impl InterpolateSpec {
    /// Panics where planes do not have these sizes.
    fn check(&self, input: usize, output: usize) {
        check_len("planes", input, self.input_len());
        check_len("planes made larger", output, self.output_len());
    }
}

impl Interpolate for CpuKernels<'_> {
    fn interpolate(&mut self, y: Buf, x: Buf, spec: InterpolateSpec) {
        let (threads, level) = (self.threads(), self.level());
        let ([y], [x]) = self.views([y], [x]);
        spec.check(x.len(), y.len());
        if y.is_empty() {
            return;
        }
        let rows = rows_each(spec);
        let len = rows * spec.scale[0] * spec.out_width();
        threads.split(2 * y.len(), y, len, |i, y| match spec.mode {
            InterpolateMode::Nearest => nearest(level, y, &x[i * rows * spec.width..], spec),
            _ => bilinear::forward(level, y, i * rows * spec.scale[0], x, spec),
        });
    }

    fn interpolate_grad(&mut self, d_x: Buf, d_y: Buf, spec: InterpolateSpec) {
        let (threads, level) = (self.threads(), self.level());
        let ([d_x], [d_y]) = self.views([d_x], [d_y]);
        spec.check(d_x.len(), d_y.len());
        if d_x.is_empty() {
            return;
        }
        let rows = rows_each(spec);
        threads.split(2 * d_y.len(), d_x, rows * spec.width, |i, d_x| match spec.mode {
            InterpolateMode::Nearest => {
                let d_y = &d_y[i * rows * spec.scale[0] * spec.out_width()..];
                nearest_grad(level, d_x, d_y, spec);
            }
            _ => bilinear::backward(level, d_x, i * rows, d_y, spec),
        });
    }
}

simd! {
    /// Whole rows of `x`, as many as `y` has room for.
    fn nearest<A>(y: &mut [f32], x: &[f32], spec: InterpolateSpec) {
        let out_width = spec.out_width();
        let blocks = y.chunks_exact_mut(spec.scale[0] * out_width);
        for (y, x) in blocks.zip(x.chunks_exact(spec.width)) {
            let (first, others) = y.split_at_mut(out_width);
            match spec.scale[1] {
                1 => first.copy_from_slice(x),
                2 => repeat::<2>(first, x),
                4 => repeat::<4>(first, x),
                scale => first.chunks_exact_mut(scale).zip(x).for_each(|(y, x)| y.fill(*x)),
            }
            others.chunks_exact_mut(out_width).for_each(|y| y.copy_from_slice(first));
        }
    }
}

/// Each element `S` times.
#[inline(always)]
fn repeat<const S: usize>(y: &mut [f32], x: &[f32]) {
    for (y, x) in y.as_chunks_mut::<S>().0.iter_mut().zip(x) {
        *y = [*x; S];
    }
}

simd! {
    /// The sums of blocks.
    fn nearest_grad<A>(d_x: &mut [f32], d_y: &[f32], spec: InterpolateSpec) {
        let out_width = spec.out_width();
        let blocks = d_y.chunks_exact(spec.scale[0] * out_width);
        for (d_x, d_y) in d_x.chunks_exact_mut(spec.width).zip(blocks) {
            d_x.fill(0.0);
            for d_y in d_y.chunks_exact(out_width) {
                match spec.scale[1] {
                    2 => add_sums::<2>(d_x, d_y),
                    4 => add_sums::<4>(d_x, d_y),
                    scale => {
                        for (d_x, d_y) in d_x.iter_mut().zip(d_y.chunks_exact(scale)) {
                            *d_x += d_y.iter().sum::<f32>();
                        }
                    }
                }
            }
        }
    }
}

/// Adds the sums of `S` neighbours.
#[inline(always)]
fn add_sums<const S: usize>(d_x: &mut [f32], d_y: &[f32]) {
    for (d_x, d_y) in d_x.iter_mut().zip(d_y.as_chunks::<S>().0) {
        let mut sum = d_y[0];
        for d_y in &d_y[1..] {
            sum += d_y;
        }
        *d_x += sum;
    }
}
