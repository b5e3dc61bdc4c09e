//! The matrix of windows: row `(c, u, v)`, column `(i, j)` holds the element of `x` that tap
//! `(u, v)` of channel `c` meets at output `(i, j)`.

use std::ops::Range;

use super::Conv2dSpec;
use crate::math::{prefetch, simd};

/// The row of `x` that tap `u` of output row `i` meets, if less than the height.
#[inline(always)]
fn input_row(spec: &Conv2dSpec, i: usize, u: usize) -> usize {
    (i * spec.stride[0] + u * spec.dilation[0]).wrapping_sub(spec.padding[0])
}

/// The rows of `x` between those that output rows `first` and `last` meet.
fn input_rows(spec: &Conv2dSpec, first: usize, last: usize) -> Range<usize> {
    let met = |i: usize, u: usize| i * spec.stride[0] + u * spec.dilation[0];
    let start = met(first, 0).saturating_sub(spec.padding[0]);
    let end = (met(last, spec.kernel[0] - 1) + 1).saturating_sub(spec.padding[0]);
    start.min(spec.height)..end.min(spec.height)
}

/// Floats that are moved at once. Loose functions may also write to what follows, up to a whole
/// step: rows are filled from left to right.
const STEP: usize = 16;
/// Floats of a line of a cache.
const LINE: usize = 16;

/// Copies the first `len` elements, loosely.
#[inline(always)]
fn copy_loosely(y: &mut [f32], x: &[f32], len: usize) {
    let mut at = 0;
    while at < len {
        if at + STEP > y.len() || at + STEP > x.len() {
            y[at..len].copy_from_slice(&x[at..len]);
            return;
        }
        y[at..at + STEP].copy_from_slice(&x[at..at + STEP]);
        at += STEP;
    }
}

/// Copies up to `count` rows of at most [`STEP`] floats, loosely; stops where a whole step leaves
/// either side, and returns how many it copied.
#[inline(always)]
fn copy_rows(
    (y, y_row): (&mut [f32], usize),
    (x, from, x_row): (&[f32], usize, usize),
    count: usize,
) -> usize {
    for i in 0..count {
        let (to, from) = (i * y_row, from + i * x_row);
        if to + STEP > y.len() || from + STEP > x.len() {
            return i;
        }
        y[to..to + STEP].copy_from_slice(&x[from..from + STEP]);
    }
    count
}

/// Fills the first `len` elements with zeros, loosely.
#[inline(always)]
fn zero_loosely(y: &mut [f32], len: usize) {
    let mut at = 0;
    while at < len {
        if at + STEP > y.len() {
            y[at..len].fill(0.0);
            return;
        }
        y[at..at + STEP].copy_from_slice(&[0.0; STEP]);
        at += STEP;
    }
}

/// Copies the first `len` of every second element, loosely.
#[inline(always)]
fn copy_second_loosely(y: &mut [f32], x: &[f32], len: usize) {
    let mut at = 0;
    while at < len {
        if at + STEP > y.len() || 2 * (at + STEP) > x.len() {
            for (k, y) in y[at..len].iter_mut().enumerate() {
                *y = x[2 * (at + k)];
            }
            return;
        }
        let pairs: &[f32; 2 * STEP] = x[2 * at..][..2 * STEP].try_into().expect("a step of pairs");
        let step: [f32; STEP] = std::array::from_fn(|k| pairs[2 * k]);
        y[at..at + STEP].copy_from_slice(&step);
        at += STEP;
    }
}

simd! {
    /// Fills columns `at..at + positions` of `cols`, rows of `width` floats, with the windows of
    /// outputs `start..start + positions` of the planes `x`: with so many of their rows as `cols`
    /// has, from row `first` on. Columns behind them are left with anything.
    pub(super) fn gather<A>(
        cols: (&mut [f32], usize, usize),
        x: &[f32],
        first: usize,
        outputs: (usize, usize),
        spec: Conv2dSpec,
    ) {
        let ((cols, width, at), (start, positions)) = (cols, outputs);
        let (plane, out_width, stride) = (spec.height * spec.width, spec.out_width(), spec.stride[1]);
        let begin = (start / out_width, start % out_width);
        let meets = input_rows(&spec, begin.0, (start + positions - 1) / out_width);
        let meets = meets.start * spec.width..meets.end * spec.width;
        let [down, across] = spec.kernel;
        let (mut c, mut tap) = (first / (down * across), [first / across % down, first % across]);
        for row in cols.chunks_exact_mut(width) {
            let [u, v] = tap;
            let from_plane = c * plane;
            // What the next channel gives comes from memory meanwhile.
            if tap == [0, 0] {
                for at in (meets.start + plane..meets.end + plane).step_by(LINE) {
                    prefetch(x.as_ptr().wrapping_add(from_plane + at));
                }
            }
            tap[1] += 1;
            if tap[1] == across {
                tap = [u + 1, 0];
                if tap[0] == down {
                    (tap[0], c) = (0, c + 1);
                }
            }
            let row = &mut row[at..];
            let Range { start: first, end: last } = spec.columns(v);
            let whole = stride == 1 && out_width <= STEP && (first, last) == (0, out_width);
            let ((mut i, mut j), mut done) = (begin, 0);
            while done < positions {
                let input = input_row(&spec, i, u);
                // Whole rows that one step covers go together.
                if whole && j == 0 && input < spec.height {
                    let rows = (spec.height - input).div_ceil(spec.stride[0]);
                    let rows = rows.min((positions - done) / out_width);
                    let from = from_plane + input * spec.width + v * spec.dilation[1] - spec.padding[1];
                    let moved = copy_rows(
                        (&mut row[done..], out_width),
                        (x, from, spec.stride[0] * spec.width),
                        rows,
                    );
                    (i, done) = (i + moved, done + moved * out_width);
                    if done == positions {
                        break;
                    }
                }
                let end = out_width.min(j + positions - done);
                let out = &mut row[done..];
                let input = input_row(&spec, i, u);
                let (lo, hi) = (first.max(j), last.min(end));
                if input >= spec.height || lo >= hi {
                    zero_loosely(out, end - j);
                } else {
                    zero_loosely(out, lo - j);
                    let tap = lo * stride + v * spec.dilation[1] - spec.padding[1];
                    let x = &x[from_plane + input * spec.width + tap..];
                    let out = &mut out[lo - j..];
                    match stride {
                        1 => copy_loosely(out, x, hi - lo),
                        2 => copy_second_loosely(out, x, hi - lo),
                        _ => {
                            for (k, out) in out[..hi - lo].iter_mut().enumerate() {
                                *out = x[k * stride];
                            }
                        }
                    }
                    zero_loosely(&mut out[hi - lo..], end - hi);
                }
                done += end - j;
                (i, j) = (i + 1, 0);
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
        let begin = (start / out_width, start % out_width);
        let mut rows = cols.chunks_exact(width);
        for x in x.chunks_exact_mut(plane).take(channels) {
            for u in 0..spec.kernel[0] {
                for v in 0..spec.kernel[1] {
                    let row = rows.next().expect("a row for each tap");
                    let Range { start: first, end: last } = spec.columns(v);
                    let ((mut i, mut j), mut done) = (begin, 0);
                    while done < positions {
                        let end = out_width.min(j + positions - done);
                        let input = input_row(&spec, i, u);
                        let (lo, hi) = (first.max(j), last.min(end));
                        if input < spec.height && lo < hi {
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
    fn add<const N: usize>(y: &mut [f32], x: &[f32], mut at: usize) -> usize {
        while at + N <= y.len() {
            for (y, x) in y[at..at + N].iter_mut().zip(&x[at..at + N]) {
                *y += x;
            }
            at += N;
        }
        at
    }
    let x = &x[..y.len()];
    let at = add::<16>(y, x, 0);
    let at = add::<8>(y, x, at);
    let at = add::<4>(y, x, at);
    let at = add::<2>(y, x, at);
    add::<1>(y, x, at);
}
