//! Pooling on the CPU, planes in parallel.

use super::{Pool2d, Pool2dSpec, halve};
use crate::device::{Buf, CpuKernels};
use crate::ops::{check_len, check_window, product, sum};

/// Planes that one thread takes at a time: about 2^14 floats of input.
fn planes_each(spec: Pool2dSpec) -> usize {
    ((1 << 14) / product([spec.height, spec.width]).max(1)).max(1)
}

/// The place of the maximum of a window that meets no element.
const NOWHERE: usize = u32::MAX as usize;

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

impl Pool2dSpec {
    /// Panics where planes do not have these sizes, or a window has none.
    fn check(&self, input: usize, output: usize) {
        for (axis, size) in [self.height, self.width].into_iter().enumerate() {
            let [kernel, stride, padding, dilation] =
                [self.kernel, self.stride, self.padding, self.dilation].map(|of| of[axis]);
            check_window(size, kernel, stride, padding, dilation);
        }
        check_len("planes", input, self.input_len());
        check_len("pooled planes", output, self.output_len());
    }

    /// The multiply-adds of all windows, for [`Threads::run_if`](crate::device::Threads::run_if).
    fn work(&self) -> usize {
        product([self.output_len(), self.kernel[0], self.kernel[1]])
    }
}

impl Pool2d for CpuKernels<'_> {
    fn max_pool2d(&mut self, y: Buf, index: Option<Buf>, x: Buf, spec: Pool2dSpec) {
        let (threads, level) = (self.threads(), self.level());
        spec.check(x.len, y.len);
        if y.len == 0 {
            return;
        }
        let (inputs, outputs) = (spec.height * spec.width, spec.out_height() * spec.out_width());
        let each = planes_each(spec);
        let work = product([2, spec.work()]);
        let len = each * outputs;
        let run = |i: usize, y: &mut [f32], index: &mut [f32], x: &[f32]| {
            let x = &x[i * each * inputs..][..y.len() / outputs * inputs];
            if halve::applies(&spec) {
                halve::max(level, y, index, x, spec);
            } else {
                max_planes(y, bytemuck::cast_slice_mut(index), x, spec);
            }
        };
        if let Some(index) = index {
            let ([y, index], [x]) = self.views([y, index], [x]);
            threads.split2(work, (y, len), (index, len), |i, y, index| run(i, y, index, x));
        } else {
            let ([y], [x]) = self.views([y], [x]);
            threads.split(work, y, len, |i, y| run(i, y, &mut [], x));
        }
    }

    fn max_pool2d_grad(&mut self, d_x: Buf, d_y: Buf, index: Buf, spec: Pool2dSpec) {
        let (threads, level) = (self.threads(), self.level());
        let ([d_x], [d_y, index]) = self.views([d_x], [d_y, index]);
        spec.check(d_x.len(), d_y.len());
        check_len("the places of maxima", index.len(), d_y.len());
        if d_x.is_empty() {
            return;
        }
        let (inputs, outputs) = (spec.height * spec.width, spec.out_height() * spec.out_width());
        let each = planes_each(spec);
        threads.split(d_x.len() + 2 * d_y.len(), d_x, each * inputs, |i, d_x| {
            let outputs = i * each * outputs..(i * each + d_x.len() / inputs) * outputs;
            let (d_y, index) = (&d_y[outputs.clone()], &index[outputs]);
            if halve::applies(&spec) {
                halve::max_grad(level, d_x, d_y, index, spec);
            } else {
                max_planes_grad(d_x, d_y, bytemuck::cast_slice(index), spec);
            }
        });
    }

    fn avg_pool2d(&mut self, y: Buf, x: Buf, spec: Pool2dSpec) {
        assert!(spec.dilation == [1, 1], "gradiron: averages know no dilation (a bug)");
        let (threads, level) = (self.threads(), self.level());
        let ([y], [x]) = self.views([y], [x]);
        spec.check(x.len(), y.len());
        if y.is_empty() {
            return;
        }
        let (inputs, outputs) = (spec.height * spec.width, spec.out_height() * spec.out_width());
        let each = planes_each(spec);
        threads.split(spec.work(), y, each * outputs, |i, y| {
            if halve::applies(&spec) {
                let x = &x[i * each * inputs..][..y.len() / outputs * inputs];
                return halve::avg(level, y, x, spec);
            }
            for (plane, y) in (i * each..).zip(y.chunks_exact_mut(outputs)) {
                avg_plane(y, &x[plane * inputs..][..inputs], spec);
            }
        });
    }

    fn avg_pool2d_grad(&mut self, d_x: Buf, d_y: Buf, spec: Pool2dSpec) {
        assert!(spec.dilation == [1, 1], "gradiron: averages know no dilation (a bug)");
        let (threads, level) = (self.threads(), self.level());
        let ([d_x], [d_y]) = self.views([d_x], [d_y]);
        spec.check(d_x.len(), d_y.len());
        if d_x.is_empty() {
            return;
        }
        let (inputs, outputs) = (spec.height * spec.width, spec.out_height() * spec.out_width());
        let each = planes_each(spec);
        let work = sum([d_x.len(), spec.work()]);
        threads.split(work, d_x, each * inputs, |i, d_x| {
            if halve::applies(&spec) {
                let d_y = &d_y[i * each * outputs..][..d_x.len() / inputs * outputs];
                return halve::avg_grad(level, d_x, d_y, spec);
            }
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
        let mut place = if rows * cols > 0 { top * width + left } else { NOWHERE };
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

fn max_planes_grad(d_x: &mut [f32], d_y: &[f32], index: &[u32], spec: Pool2dSpec) {
    let (inputs, outputs) = (spec.height * spec.width, spec.out_height() * spec.out_width());
    d_x.fill(0.0);
    for (plane, d_x) in d_x.chunks_exact_mut(inputs).enumerate() {
        let outputs = plane * outputs..(plane + 1) * outputs;
        for (index, d_y) in index[outputs.clone()].iter().zip(&d_y[outputs]) {
            if let Some(d_x) = d_x.get_mut(*index as usize) {
                *d_x += d_y;
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
