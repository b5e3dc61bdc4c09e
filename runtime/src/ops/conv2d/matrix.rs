//! The matrix of windows: row `(c, u, v)`, column `(i, j)` holds the element of a plane of channel
//! `c` that tap `(u, v)` meets at output `(i, j)`.

use std::ops::Range;

use super::Conv2dSpec;
use crate::math::simd;

/// What the taps of a window meet in a plane: tap `u` of output `i` meets element
/// `i · stride + u · dilation − padding`, if there is one. `[rows, columns]` each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taps {
    /// Sizes of the plane.
    pub plane: [usize; 2],
    /// Outputs.
    pub outputs: [usize; 2],
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    pub padding: [isize; 2],
}

impl Taps {
    /// The windows of a convolution.
    pub fn of(spec: &Conv2dSpec) -> Self {
        Self {
            plane: [spec.height, spec.width],
            outputs: [spec.out_height(), spec.out_width()],
            kernel: spec.kernel,
            stride: spec.stride,
            dilation: spec.dilation,
            padding: spec.padding.map(|padding| padding as isize),
        }
    }

    /// The taps of a window.
    pub fn count(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// The windows in a plane.
    pub fn positions(&self) -> usize {
        self.outputs[0] * self.outputs[1]
    }

    /// The row of the plane that tap `u` of output row `i` meets, if less than the height.
    #[inline(always)]
    fn row(&self, i: usize, u: usize) -> usize {
        (i * self.stride[0] + u * self.dilation[0]).wrapping_add_signed(-self.padding[0])
    }

    /// The column of the plane that tap `v` of output column `j` meets, if less than the width.
    #[inline(always)]
    fn column(&self, j: usize, v: usize) -> usize {
        (j * self.stride[1] + v * self.dilation[1]).wrapping_add_signed(-self.padding[1])
    }

    /// The output columns whose tap `v` meets the plane.
    #[inline(always)]
    pub fn columns(&self, v: usize) -> Range<usize> {
        let (stride, width) = (self.stride[1], self.outputs[1]);
        let offset = (v * self.dilation[1]) as isize - self.padding[1];
        let before = |end: isize| (end.max(0) as usize).div_ceil(stride).min(width);
        let (start, end) = (before(-offset), before(self.plane[1] as isize - offset));
        start..end.max(start)
    }
}

/// One of the `s₀ · s₁` parts of the gradient of a plane: its elements `i · s + a` along each axis.
/// Each is a convolution of the gradient of the outputs with stride 1 and some of the taps of a
/// window, in reverse.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase {
    pub start: [usize; 2],
    pub stride: [usize; 2],
    pub taps: Taps,
    /// The tap of the window that is first for this phase, and the distances to the next ones,
    /// subtracted.
    last: [usize; 2],
    step: [usize; 2],
}

const fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Phase {
    /// Phase `index` of all.
    pub fn of(spec: &Conv2dSpec, index: usize) -> Self {
        let start = [index / spec.stride[1], index % spec.stride[1]];
        let (plane, size) = ([spec.out_height(), spec.out_width()], [spec.height, spec.width]);
        let (mut last, mut step) = ([0; 2], [0; 2]);
        let mut taps = Taps {
            plane,
            outputs: [0; 2],
            kernel: [0; 2],
            stride: [1; 2],
            dilation: [1; 2],
            padding: [0; 2],
        };
        for axis in 0..2 {
            let (stride, dilation) = (spec.stride[axis], spec.dilation[axis]);
            let (a, common) = (start[axis], gcd(stride, dilation));
            taps.outputs[axis] = size[axis].saturating_sub(a).div_ceil(stride);
            // Tap `u` adds output `(i · s + a + p − u · d) / s`, where that is whole.
            let shifted = a + spec.padding[axis];
            let meets =
                |u: &usize| (shifted as isize - (u * dilation) as isize) % stride as isize == 0;
            step[axis] = stride / common;
            taps.dilation[axis] = dilation / common;
            if let Some(first) = (0..step[axis].min(spec.kernel[axis])).find(meets) {
                let count = (spec.kernel[axis] - first).div_ceil(step[axis]);
                last[axis] = first + (count - 1) * step[axis];
                taps.kernel[axis] = count;
                taps.padding[axis] =
                    ((last[axis] * dilation) as isize - shifted as isize) / stride as isize;
            }
        }
        Self { start, stride: spec.stride, taps, last, step }
    }

    /// The tap of the window that is tap `(u, v)` here, as an offset in its weights.
    pub fn tap(&self, spec: &Conv2dSpec, [u, v]: [usize; 2]) -> usize {
        (self.last[0] - u * self.step[0]) * spec.kernel[1] + self.last[1] - v * self.step[1]
    }
}

/// Floats that are moved at once. Loose functions may also write to what follows, up to a whole
/// step: rows are filled from left to right.
const STEP: usize = 16;

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
        taps: &Taps,
    ) {
        let ((cols, width, at), (start, positions)) = (cols, outputs);
        let ([height, in_width], out_width) = (taps.plane, taps.outputs[1]);
        let (plane, stride) = (height * in_width, taps.stride[1]);
        let begin = (start / out_width, start % out_width);
        let mut tap = [first / taps.kernel[1] % taps.kernel[0], first % taps.kernel[1]];
        let mut c = first / taps.count();
        for row in cols.chunks_exact_mut(width) {
            let [u, v] = tap;
            let from_plane = c * plane;
            tap[1] += 1;
            if tap[1] == taps.kernel[1] {
                tap = [u + 1, 0];
                if tap[0] == taps.kernel[0] {
                    (tap[0], c) = (0, c + 1);
                }
            }
            let row = &mut row[at..];
            let Range { start: first, end: last } = taps.columns(v);
            let whole = stride == 1 && out_width <= STEP && (first, last) == (0, out_width);
            let ((mut i, mut j), mut done) = (begin, 0);
            while done < positions {
                let input = taps.row(i, u);
                // Whole rows that one step covers go together.
                if whole && j == 0 && input < height {
                    let rows = (height - input).div_ceil(taps.stride[0]);
                    let rows = rows.min((positions - done) / out_width);
                    let from = from_plane + input * in_width + taps.column(0, v);
                    let moved = copy_rows(
                        (&mut row[done..], out_width),
                        (x, from, taps.stride[0] * in_width),
                        rows,
                    );
                    (i, done) = (i + moved, done + moved * out_width);
                    if done == positions {
                        break;
                    }
                }
                let end = out_width.min(j + positions - done);
                let out = &mut row[done..];
                let input = taps.row(i, u);
                let (lo, hi) = (first.max(j), last.min(end));
                if input >= height || lo >= hi {
                    zero_loosely(out, end - j);
                } else {
                    zero_loosely(out, lo - j);
                    let x = &x[from_plane + input * in_width + taps.column(lo, v)..];
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
    /// Writes `cols`, rows of `width` floats for each channel, from position `start` on to where
    /// they are in the planes `x`.
    pub(super) fn place<A>(
        x: &mut [f32],
        cols: (&[f32], usize, usize),
        outputs: (usize, usize),
        plane: (usize, usize),
        phase: &Phase,
    ) {
        let ((cols, width, at), (start, positions), (plane, in_width)) = (cols, outputs, plane);
        let (out_width, [down, across]) = (phase.taps.outputs[1], phase.stride);
        for (x, row) in x.chunks_exact_mut(plane).zip(cols.chunks_exact(width)) {
            let (mut row, mut position) = (&row[at..at + positions], start);
            while !row.is_empty() {
                let (i, j) = (position / out_width, position % out_width);
                let (these, rest) = row.split_at(row.len().min(out_width - j));
                let to = (i * down + phase.start[0]) * in_width + j * across + phase.start[1];
                for (x, y) in x[to..].iter_mut().step_by(across).zip(these) {
                    *x = *y;
                }
                (row, position) = (rest, position + these.len());
            }
        }
    }
}
