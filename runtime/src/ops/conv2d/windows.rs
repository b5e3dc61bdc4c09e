//! The matrix of windows: row `(c, u, v)`, column `(i, j)` holds the element of `x` that tap
//! `(u, v)` of channel `c` meets at output `(i, j)`.

use super::Conv2dSpec;
use crate::math::simd;

/// The outputs `j` whose tap `v` meets the plane.
#[inline(always)]
fn meeting(spec: &Conv2dSpec, v: usize) -> (usize, usize) {
    let (stride, padding, tap) = (spec.stride[1], spec.padding[1], v * spec.dilation[1]);
    let out_width = spec.out_width();
    let start = padding.saturating_sub(tap).div_ceil(stride).min(out_width);
    let end = (spec.width + padding)
        .saturating_sub(tap)
        .div_ceil(stride)
        .min(out_width);
    (start, end.max(start))
}

/// The row of `x` that tap `u` of output row `i` meets.
#[inline(always)]
fn input_row(spec: &Conv2dSpec, i: usize, u: usize) -> Option<usize> {
    (i * spec.stride[0] + u * spec.dilation[0])
        .checked_sub(spec.padding[0])
        .filter(|&row| row < spec.height)
}

/// Copies `x` to the start of `y`, and maybe some of what follows in either.
#[inline(always)]
fn copy_loosely(y: &mut [f32], x: &[f32], len: usize) {
    const STEP: usize = 16;
    let mut at = 0;
    while at < len {
        if at + STEP <= y.len() && at + STEP <= x.len() {
            y[at..at + STEP].copy_from_slice(&x[at..at + STEP]);
        } else {
            y[at..len].copy_from_slice(&x[at..len]);
            return;
        }
        at += STEP;
    }
}

simd! {
    /// Fills columns `at..at + positions` of `cols [channels · kh · kw, width]` with the windows of
    /// outputs `start..start + positions` of `x [channels, height, width]`. Columns behind them are
    /// left with anything.
    pub(super) fn gather<A>(
        cols: (&mut [f32], usize, usize),
        x: (&[f32], usize),
        outputs: (usize, usize),
        spec: Conv2dSpec,
    ) {
        let ((cols, width, at), (x, channels), (start, positions)) = (cols, x, outputs);
        let (plane, out_width, stride) = (spec.height * spec.width, spec.out_width(), spec.stride[1]);
        let mut rows = cols.chunks_exact_mut(width);
        for x in x.chunks_exact(plane).take(channels) {
            for u in 0..spec.kernel[0] {
                for v in 0..spec.kernel[1] {
                    let row = &mut rows.next().expect("a row for each tap")[at..];
                    let (first, last) = meeting(&spec, v);
                    let (mut i, mut j, mut done) = (start / out_width, start % out_width, 0);
                    while done < positions {
                        let end = out_width.min(j + positions - done);
                        let out = &mut row[done..];
                        if let Some(input) = input_row(&spec, i, u) {
                            let (lo, hi) = (first.clamp(j, end), last.clamp(j, end));
                            out[..lo - j].fill(0.0);
                            if lo < hi {
                                let tap = lo * stride + v * spec.dilation[1] - spec.padding[1];
                                let x = &x[input * spec.width + tap..];
                                if stride == 1 {
                                    copy_loosely(&mut out[lo - j..], x, hi - lo);
                                } else {
                                    let out = &mut out[lo - j..hi - j];
                                    for (k, out) in out.iter_mut().enumerate() {
                                        *out = x[k * stride];
                                    }
                                }
                            }
                            out[hi - j..end - j].fill(0.0);
                        } else {
                            out[..end - j].fill(0.0);
                        }
                        done += end - j;
                        (i, j) = (i + 1, 0);
                    }
                }
            }
        }
    }
}

simd! {
    /// Adds columns of `cols` back to where [`gather`] took them from.
    pub(super) fn scatter<A>(
        x: (&mut [f32], usize),
        cols: (&[f32], usize),
        outputs: (usize, usize),
        spec: Conv2dSpec,
    ) {
        let ((x, channels), (cols, width), (start, positions)) = (x, cols, outputs);
        let (plane, out_width, stride) = (spec.height * spec.width, spec.out_width(), spec.stride[1]);
        let mut rows = cols.chunks_exact(width);
        for x in x.chunks_exact_mut(plane).take(channels) {
            for u in 0..spec.kernel[0] {
                for v in 0..spec.kernel[1] {
                    let row = rows.next().expect("a row for each tap");
                    let (first, last) = meeting(&spec, v);
                    let (mut i, mut j, mut done) = (start / out_width, start % out_width, 0);
                    while done < positions {
                        let end = out_width.min(j + positions - done);
                        let (lo, hi) = (first.clamp(j, end), last.clamp(j, end));
                        if let (Some(input), true) = (input_row(&spec, i, u), lo < hi) {
                            let tap = lo * stride + v * spec.dilation[1] - spec.padding[1];
                            let x = &mut x[input * spec.width + tap..];
                            let row = &row[done + lo - j..][..hi - lo];
                            if stride == 1 {
                                add_run(&mut x[..row.len()], row);
                            } else {
                                for (k, row) in row.iter().enumerate() {
                                    x[k * stride] += row;
                                }
                            }
                        }
                        done += end - j;
                        (i, j) = (i + 1, 0);
                    }
                }
            }
        }
    }
}

/// `y += x`, without a long remainder: runs are short.
#[inline(always)]
fn add_run(y: &mut [f32], x: &[f32]) {
    #[inline(always)]
    fn add<const N: usize>(y: &mut [f32], x: &[f32]) -> usize {
        let mut at = 0;
        while at + N <= y.len() {
            let sum: [f32; N] = std::array::from_fn(|i| y[at + i] + x[at + i]);
            y[at..at + N].copy_from_slice(&sum);
            at += N;
        }
        at
    }
    let x = &x[..y.len()];
    let at = add::<8>(y, x);
    let (y, x) = (&mut y[at..], &x[at..]);
    let at = add::<4>(y, x);
    let (y, x) = (&mut y[at..], &x[at..]);
    add::<1>(y, x);
}
