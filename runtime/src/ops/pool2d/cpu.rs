//! Pooling on the CPU, planes in parallel.

use super::{Pool2d, Pool2dSpec};
use crate::device::{Buf, CpuStep};
use crate::math::simd;

/// Planes that one thread takes at a time: about 2^14 floats of input.
fn planes_each(spec: Pool2dSpec) -> usize {
    ((1 << 14) / (spec.height * spec.width).max(1)).max(1)
}

fn is_halving(spec: Pool2dSpec) -> bool {
    spec.kernel == [2, 2]
        && spec.stride == [2, 2]
        && spec.padding == [0, 0]
        && spec.dilation == [1, 1]
}

/// The taps of output `out` that meet the plane, and the place of the first.
#[inline(always)]
fn taps(spec: &Pool2dSpec, axis: usize, out: usize, size: usize) -> (usize, usize) {
    let (dilation, padding) = (spec.dilation[axis], spec.padding[axis]);
    let start = out * spec.stride[axis];
    let skipped = padding.saturating_sub(start).div_ceil(dilation).min(spec.kernel[axis]);
    let first = start + skipped * dilation;
    let room = (size + padding).saturating_sub(first).div_ceil(dilation);
    (room.min(spec.kernel[axis] - skipped), first.saturating_sub(padding))
}

impl Pool2d for CpuStep<'_> {
    fn max_pool2d(&mut self, y: Buf, index: Option<Buf>, x: Buf, spec: Pool2dSpec) {
        let (threads, level) = (self.threads(), self.level());
        let (inputs, outputs) = (spec.height * spec.width, spec.out_height() * spec.out_width());
        let each = planes_each(spec);
        let work = 2 * spec.output_len() * spec.kernel[0] * spec.kernel[1];
        let len = each * outputs;
        let run = |i: usize, y: &mut [f32], index: &mut [u32], x: &[f32]| {
            let x = &x[i * each * inputs..][..y.len() / outputs * inputs];
            if is_halving(spec) && !index.is_empty() {
                halve_max_indexed(level, y, index, x, spec);
            } else if is_halving(spec) {
                halve_max(level, y, x, spec);
            } else {
                max_planes(y, index, x, spec);
            }
        };
        if let Some(index) = index {
            let ([y, index], [x]) = self.views([y, index], [x]);
            let index = bytemuck::cast_slice_mut::<f32, u32>(index);
            threads.split2(work, (y, len), (index, len), |i, y, index| run(i, y, index, x));
        } else {
            let ([y], [x]) = self.views([y], [x]);
            threads.split(work, y, len, |i, y| run(i, y, &mut [], x));
        }
    }

    fn max_pool2d_grad(&mut self, d_x: Buf, d_y: Buf, index: Buf, spec: Pool2dSpec) {
        let threads = self.threads();
        let ([d_x], [d_y, index]) = self.views([d_x], [d_y, index]);
        let index = bytemuck::cast_slice::<f32, u32>(index);
        let (inputs, outputs) = (spec.height * spec.width, spec.out_height() * spec.out_width());
        let each = planes_each(spec);
        threads.split(d_x.len() + 2 * d_y.len(), d_x, each * inputs, |i, d_x| {
            for (plane, d_x) in (i * each..).zip(d_x.chunks_exact_mut(inputs)) {
                d_x.fill(0.0);
                let outputs = plane * outputs..(plane + 1) * outputs;
                for (index, d_y) in index[outputs.clone()].iter().zip(&d_y[outputs]) {
                    d_x[*index as usize] += d_y;
                }
            }
        });
    }

    fn avg_pool2d(&mut self, y: Buf, x: Buf, spec: Pool2dSpec) {
        debug_assert!(spec.dilation == [1, 1]);
        let threads = self.threads();
        let ([y], [x]) = self.views([y], [x]);
        let (inputs, outputs) = (spec.height * spec.width, spec.out_height() * spec.out_width());
        let each = planes_each(spec);
        let work = spec.output_len() * spec.kernel[0] * spec.kernel[1];
        threads.split(work, y, each * outputs, |i, y| {
            for (plane, y) in (i * each..).zip(y.chunks_exact_mut(outputs)) {
                avg_plane(y, &x[plane * inputs..][..inputs], spec);
            }
        });
    }

    fn avg_pool2d_grad(&mut self, d_x: Buf, d_y: Buf, spec: Pool2dSpec) {
        debug_assert!(spec.dilation == [1, 1]);
        let threads = self.threads();
        let ([d_x], [d_y]) = self.views([d_x], [d_y]);
        let (inputs, outputs) = (spec.height * spec.width, spec.out_height() * spec.out_width());
        let each = planes_each(spec);
        let work = d_x.len() + spec.output_len() * spec.kernel[0] * spec.kernel[1];
        threads.split(work, d_x, each * inputs, |i, d_x| {
            for (plane, d_x) in (i * each..).zip(d_x.chunks_exact_mut(inputs)) {
                avg_plane_grad(d_x, &d_y[plane * outputs..][..outputs], spec);
            }
        });
    }
}

fn max_planes(y: &mut [f32], index: &mut [u32], x: &[f32], spec: Pool2dSpec) {
    let (width, out_width) = (spec.width, spec.out_width());
    let outputs = spec.out_height() * out_width;
    let inputs = spec.height * width;
    for (at, y) in y.iter_mut().enumerate() {
        let (plane, out) = (at / outputs, at % outputs);
        let x = &x[plane * inputs..][..inputs];
        let (rows, top) = taps(&spec, 0, out / out_width, spec.height);
        let (cols, left) = taps(&spec, 1, out % out_width, width);
        let mut place = top * width + left;
        let mut max = f32::NEG_INFINITY;
        for i in 0..rows {
            for j in 0..cols {
                let here = (top + i * spec.dilation[0]) * width + left + j * spec.dilation[1];
                if x[here] > max || x[here].is_nan() {
                    (max, place) = (x[here], here);
                }
            }
        }
        *y = max;
        if let Some(index) = index.get_mut(at) {
            *index = place as u32;
        }
    }
}

simd! {
    fn halve_max<A>(y: &mut [f32], x: &[f32], spec: Pool2dSpec) {
        let (width, out_width) = (spec.width, spec.out_width());
        let inputs = spec.height * width;
        for (i, y) in y.chunks_exact_mut(out_width).enumerate() {
            let (plane, row) = (i / spec.out_height(), i % spec.out_height());
            let top = &x[plane * inputs + 2 * row * width..][..2 * out_width];
            let bottom = &x[plane * inputs + (2 * row + 1) * width..][..2 * out_width];
            for ((y, t), b) in y.iter_mut().zip(top.chunks_exact(2)).zip(bottom.chunks_exact(2)) {
                let mut max = t[0];
                for value in [t[1], b[0], b[1]] {
                    max = if value > max || value.is_nan() { value } else { max };
                }
                *y = max;
            }
        }
    }
}

simd! {
    fn halve_max_indexed<A>(y: &mut [f32], index: &mut [u32], x: &[f32], spec: Pool2dSpec) {
        let (width, out_width) = (spec.width, spec.out_width());
        let inputs = spec.height * width;
        let rows = y.chunks_exact_mut(out_width).zip(index.chunks_exact_mut(out_width));
        for (i, (y, index)) in rows.enumerate() {
            let (plane, row) = (i / spec.out_height(), i % spec.out_height());
            let top = &x[plane * inputs + 2 * row * width..][..2 * out_width];
            let bottom = &x[plane * inputs + (2 * row + 1) * width..][..2 * out_width];
            let first = (2 * row * width) as u32;
            let pairs = top.chunks_exact(2).zip(bottom.chunks_exact(2));
            for (j, ((y, index), (t, b))) in y.iter_mut().zip(index).zip(pairs).enumerate() {
                let place = first + 2 * j as u32;
                let below = place + width as u32;
                let (mut max, mut at) = (t[0], place);
                for (value, here) in [(t[1], place + 1), (b[0], below), (b[1], below + 1)] {
                    let wins = value > max || value.is_nan();
                    max = if wins { value } else { max };
                    at = if wins { here } else { at };
                }
                (*y, *index) = (max, at);
            }
        }
    }
}

fn avg_plane(y: &mut [f32], x: &[f32], spec: Pool2dSpec) {
    let size = (spec.kernel[0] * spec.kernel[1]) as f32;
    let out_width = spec.out_width();
    for (out, y) in y.iter_mut().enumerate() {
        let (rows, top) = taps(&spec, 0, out / out_width, spec.height);
        let (cols, left) = taps(&spec, 1, out % out_width, spec.width);
        let mut sum = 0.0;
        for i in 0..rows {
            let row = &x[(top + i) * spec.width + left..][..cols];
            sum += row.iter().sum::<f32>();
        }
        *y = sum / size;
    }
}

fn avg_plane_grad(d_x: &mut [f32], d_y: &[f32], spec: Pool2dSpec) {
    let size = (spec.kernel[0] * spec.kernel[1]) as f32;
    let out_width = spec.out_width();
    d_x.fill(0.0);
    for (out, d_y) in d_y.iter().enumerate() {
        let (rows, top) = taps(&spec, 0, out / out_width, spec.height);
        let (cols, left) = taps(&spec, 1, out % out_width, spec.width);
        let share = d_y / size;
        for i in 0..rows {
            let row = &mut d_x[(top + i) * spec.width + left..][..cols];
            row.iter_mut().for_each(|d_x| *d_x += share);
        }
    }
}
