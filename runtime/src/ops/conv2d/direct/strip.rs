//! Strips: rows of an image, copied once for each column of the window, so that what a tap meets at
//! consecutive outputs lies side by side, in several rows of outputs too.
//!
//! A strip is `[kernel columns, channels, phases, rows, output columns]`: input row `r` is row
//! `r / stride` of phase `r % stride`, and padding is zeros. Tap `(c, u, v)` starts in plane
//! `(v, c)` at [`Strip::row`]`(u)`, and meets there output after output.

use crate::math::MAX_LANES;
use crate::math::{SimdLevel, simd};
use crate::ops::conv2d::{Conv2dSpec, max, min};
use crate::ops::{check_holds, product, reach, sum};

/// Floats of a strip, unless a single row of outputs needs more: most of the first cache.
const STRIP: usize = 10 << 10;
/// Reads reach this far beyond a strip: a register.
const SLACK: usize = MAX_LANES;

/// The most rows of a window.
pub const MAX_KERNEL: usize = 16;

/// The strips of a convolution.
#[derive(Clone, Copy)]
pub struct Strip {
    pub spec: Conv2dSpec,
    /// The output rows of a strip; the last one of an image may have fewer.
    pub rows: usize,
}

impl Strip {
    /// Images are cut into as few strips of the same height as the cache allows.
    pub const fn of(spec: Conv2dSpec) -> Self {
        let row = max(product([spec.kernel[1], spec.in_channels, spec.out_width()]), 1);
        let (reach, stride) = (reach(spec.kernel[0], spec.dilation[0]) - 1, spec.stride[0]);
        let fit = (STRIP / row).saturating_sub(reach) / stride;
        let strips = spec.out_height().div_ceil(max(fit, 1));
        Self { spec, rows: spec.out_height().div_ceil(max(strips, 1)) }
    }

    /// The strips of an image.
    pub const fn count(&self) -> usize {
        self.spec.out_height().div_ceil(max(self.rows, 1))
    }

    /// The output rows of strip `i`, their first and their number.
    pub const fn outputs(&self, i: usize) -> (usize, usize) {
        let first = i * self.rows;
        (first, min(self.rows, self.spec.out_height() - first))
    }

    /// The input rows that `rows` rows of outputs meet.
    const fn inputs(&self, rows: usize) -> usize {
        let steps = product([rows.saturating_sub(1), self.spec.stride[0]]);
        sum([steps, reach(self.spec.kernel[0], self.spec.dilation[0])])
    }

    const fn phase_rows(&self) -> usize {
        self.inputs(self.rows).div_ceil(self.spec.stride[0])
    }

    /// The planes of a strip.
    pub const fn planes(&self) -> usize {
        product([self.spec.kernel[1], self.spec.in_channels])
    }

    /// The distance between planes.
    pub const fn pitch(&self) -> usize {
        product([self.spec.stride[0], self.phase_rows(), self.spec.out_width()])
    }

    /// The floats of a strip.
    pub const fn len(&self) -> usize {
        if self.rows == 0 { 0 } else { sum([product([self.planes(), self.pitch()]), SLACK]) }
    }

    /// As many floats as a strip of no smaller planes has more of, however its rows are cut
    /// further.
    ///
    /// With `r` input rows beyond the first that a window reaches, a row of `c` floats and `n` rows
    /// of outputs in steps of `s`, a strip has at most `c (s n + r)` of them. Either that is at
    /// most [`STRIP`], by the choice of `n`, or `n` is 1.
    pub const fn most_len(&self) -> usize {
        let spec = &self.spec;
        let row = product([self.planes(), spec.out_width()]);
        let (reach, stride) = (reach(spec.kernel[0], spec.dilation[0]) - 1, spec.stride[0]);
        let whole = product([row, sum([product([stride, spec.out_height()]), reach])]);
        let cut = max(STRIP, product([row, sum([stride, reach])]));
        sum([min(whole, cut), SLACK])
    }

    /// Where row `u` of the window starts in a plane.
    pub const fn row(&self, u: usize) -> usize {
        let (at, stride) = (u * self.spec.dilation[0], self.spec.stride[0]);
        (at % stride * self.phase_rows() + at / stride) * self.spec.out_width()
    }

    /// [`row`](Self::row) of each row of the window.
    pub fn window_rows(&self) -> [usize; MAX_KERNEL] {
        let mut rows = [0; MAX_KERNEL];
        for (u, row) in rows.iter_mut().enumerate().take(self.spec.kernel[0]) {
            *row = self.row(u);
        }
        rows
    }

    /// The part of a plane outside of which strip `i` has zeros only.
    pub const fn filled(&self, i: usize) -> (usize, usize) {
        if self.spec.stride[0] > 1 {
            return (0, self.pitch());
        }
        let (first, padding, width) = (i * self.rows, self.spec.padding[0], self.spec.out_width());
        let end = (self.spec.height + padding).saturating_sub(first);
        (padding.saturating_sub(first) * width, end * width)
    }

    /// Fills `strip` with strip `i` of the image `x [channels, height, width]`.
    pub fn fill(self, level: SimdLevel, strip: &mut [f32], x: &[f32], i: usize) {
        let spec = self.spec;
        check_holds("a strip", strip.len(), self.len());
        check_holds("an image", x.len(), product([spec.in_channels, spec.height, spec.width]));
        let (first, rows) = self.outputs(i);
        let fill = Fill {
            strip: self,
            to: strip.as_mut_ptr(),
            x: x.as_ptr(),
            first: first * spec.stride[0],
            rows: self.inputs(rows),
        };
        // SAFETY: the strip and the image have the sizes that were checked, and are borrowed for
        // this call.
        unsafe { fill_planes(level, fill) };
    }
}

struct Fill {
    strip: Strip,
    to: *mut f32,
    x: *const f32,
    /// The first row of the padded input.
    first: usize,
    rows: usize,
}

simd! {
    /// # Safety
    /// `to` is a strip to write, and `x` an image to read.
    unsafe fn fill_planes<A>(fill: Fill) {
        let Fill { strip, to, x, first, rows } = fill;
        let Conv2dSpec { in_channels, height, width, stride, padding, .. } = strip.spec;
        let (out_width, phase_rows, pitch) =
            (strip.spec.out_width(), strip.phase_rows(), strip.pitch());
        for v in 0..strip.spec.kernel[1] {
            let columns = strip.spec.columns(v);
            let column = columns.start * stride[1] + v * strip.spec.dilation[1];
            let column = column.saturating_sub(padding[1]);
            for c in 0..in_channels {
                for phase in 0..stride[0].min(rows) {
                    for i in 0..(rows - phase).div_ceil(stride[0]) {
                        let row = (first + i * stride[0] + phase).wrapping_sub(padding[0]);
                        let at = (v * in_channels + c) * pitch + (phase * phase_rows + i) * out_width;
                        // SAFETY: row `i` of this phase is below `phase_rows`, so the run of
                        // `out_width` is in its plane of the strip. Row `row` is below the height,
                        // and outputs `columns` are those that meet a column of the image, `column`
                        // the first.
                        unsafe {
                            let to = to.add(at);
                            if row >= height || columns.len() < out_width {
                                write_run(to, None, out_width);
                            }
                            if row >= height || columns.is_empty() {
                                continue;
                            }
                            let x = x.add((c * height + row) * width + column);
                            let to = to.add(columns.start);
                            if stride[1] == 1 {
                                write_run(to, Some(x), columns.len());
                            } else {
                                for j in 0..columns.len() {
                                    *to.add(j) = *x.add(j * stride[1]);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Copies `len` floats of `x`, or writes zeros.
///
/// # Safety
/// So many floats of `x` are there to read, and of `to` to write.
#[inline(always)]
unsafe fn write_run(to: *mut f32, x: Option<*const f32>, len: usize) {
    // SAFETY: the caller lends `len` floats of both, and steps are at most `len` long.
    unsafe {
        match len {
            0 => {}
            1 => write_steps::<1>(to, x, len),
            2..4 => write_steps::<2>(to, x, len),
            4..8 => write_steps::<4>(to, x, len),
            8..16 => write_steps::<8>(to, x, len),
            _ => write_steps::<16>(to, x, len),
        }
    }
}

/// In steps of `N`, the last of which overlaps the one before: masks and single floats are slower.
///
/// # Safety
/// `len` floats of `x` are there to read, and of `to` to write, `N` or more.
#[inline(always)]
unsafe fn write_steps<const N: usize>(to: *mut f32, x: Option<*const f32>, len: usize) {
    let step = |at: usize| {
        // SAFETY: `at + N` is at most `len`, and the caller lends `len` floats of both.
        unsafe {
            let run = x.map_or([0.0; N], |x| x.add(at).cast::<[f32; N]>().read_unaligned());
            to.add(at).cast::<[f32; N]>().write_unaligned(run);
        }
    };
    (0..len / N).for_each(|i| step(i * N));
    if !len.is_multiple_of(N) {
        step(len - N);
    }
}
