//! Bilinear interpolation of rows: first down the columns, into a tile on the stack, then along
//! the row.

use super::{InterpolateMode, InterpolateSpec};
use crate::math::simd;

/// Columns of the output that are made together.
const OUTPUTS: usize = 128;

/// The neighbours of an output place along an axis: `low · x[at] + high · x[next]`.
#[derive(Clone, Copy, Default)]
struct Taps {
    at: usize,
    next: usize,
    low: f32,
    high: f32,
}

impl Taps {
    /// Of output place `i` along an axis. The place is a fraction of whole numbers, so that both
    /// weights are rounded once.
    #[inline(always)]
    fn new(spec: &InterpolateSpec, axis: usize, i: usize) -> Self {
        let size = [spec.height, spec.width][axis];
        let outputs = size * spec.scale[axis];
        let (place, whole) = match spec.mode {
            InterpolateMode::BilinearCorners => (i * (size - 1), (outputs - 1).max(1)),
            _ => (((2 * i + 1) * size).saturating_sub(outputs), 2 * outputs),
        };
        let (at, part) = (place / whole, place % whole);
        if part == 0 {
            // Two halves of one element: a neighbour without weight may be an infinity.
            return Self { at, next: at, low: 0.5, high: 0.5 };
        }
        let next = (at + 1).min(size - 1);
        let weight = |part: usize| part as f32 / whole as f32;
        Self { at, next, low: weight(whole - part), high: weight(part) }
    }

    /// Of columns `start..end`, where [`doubles`] does not tell them.
    #[inline(always)]
    fn row(spec: &InterpolateSpec, start: usize, end: usize) -> [Self; OUTPUTS] {
        let mut row = [Self::default(); OUTPUTS];
        if !doubles(spec) {
            for (taps, j) in row.iter_mut().zip(start..end) {
                *taps = Self::new(spec, 1, j);
            }
        }
        row
    }

    /// The weight of element `i`.
    #[inline(always)]
    fn weight(&self, i: usize) -> f32 {
        let of = |at: usize, weight: f32| if at == i { weight } else { 0.0 };
        of(self.at, self.low) + of(self.next, self.high)
    }
}

/// Whether columns double, squares: the weights are ¼ and ¾ everywhere, with the first and the
/// last element repeated.
fn doubles(spec: &InterpolateSpec) -> bool {
    spec.scale[1] == 2 && spec.mode == InterpolateMode::Bilinear
}

simd! {
    /// Rows of `y` from row `first` of all planes on.
    pub(super) fn forward<A>(y: &mut [f32], first: usize, x: &[f32], spec: InterpolateSpec) {
        let (width, out_width, out_height) = (spec.width, spec.out_width(), spec.out_height());
        for start in (0..out_width).step_by(OUTPUTS) {
            let end = out_width.min(start + OUTPUTS);
            let taps = Taps::row(&spec, start, end);
            // The columns of `x` that these outputs meet.
            let (from, to) = match doubles(&spec) {
                true => (start / 2, end / 2),
                false => (taps[0].at, taps[end - start - 1].next + 1),
            };
            for (row, y) in (first..).zip(y.chunks_exact_mut(out_width)) {
                let (plane, row) = (row / out_height, row % out_height);
                let down = Taps::new(&spec, 0, row);
                let top = &x[(plane * spec.height + down.at) * width..][..width];
                let bottom = &x[(plane * spec.height + down.next) * width..][..width];
                // One more on either side, for neighbours.
                let mut tile = [0.0; OUTPUTS + 3];
                let mean = |c: usize| A::mul_add(down.high, bottom[c], down.low * top[c]);
                tile[0] = mean(from.saturating_sub(1));
                let inner = tile[1..].iter_mut().zip(top[from..to].iter().zip(&bottom[from..to]));
                for (tile, (top, bottom)) in inner {
                    *tile = A::mul_add(down.high, *bottom, down.low * top);
                }
                tile[to - from + 1] = mean(to.min(width - 1));
                let y = &mut y[start..end];
                if doubles(&spec) {
                    for (k, y) in y.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                        let near = 0.75 * tile[k + 1];
                        *y = [
                            A::mul_add(0.25, tile[k], near),
                            A::mul_add(0.25, tile[k + 2], near),
                        ];
                    }
                } else {
                    let tile = &tile[1..];
                    for (y, taps) in y.iter_mut().zip(&taps) {
                        let (at, next) = (tile[taps.at - from], tile[taps.next - from]);
                        *y = A::mul_add(taps.high, next, taps.low * at);
                    }
                }
            }
        }
    }
}

simd! {
    /// Rows of `d_x` from row `first` of all planes on.
    pub(super) fn backward<A>(d_x: &mut [f32], first: usize, d_y: &[f32], spec: InterpolateSpec) {
        let (width, out_width, out_height) = (spec.width, spec.out_width(), spec.out_height());
        d_x.fill(0.0);
        for start in (0..out_width).step_by(OUTPUTS) {
            let end = out_width.min(start + OUTPUTS);
            let (from, to) = (start.saturating_sub(1), out_width.min(end + 1));
            let taps = Taps::row(&spec, start, end);
            for (row, d_x) in (first..).zip(d_x.chunks_exact_mut(width)) {
                let (plane, row) = (row / spec.height, row % spec.height);
                let d_y = &d_y[plane * out_height * out_width..][..out_height * out_width];
                // One more on either side, for neighbours.
                let mut tile = [0.0; OUTPUTS + 2];
                // Outputs that may meet the row: `u(i)` is between `row - 1` and `row + 1`.
                let scale = spec.scale[0];
                for i in scale * row.saturating_sub(1)..out_height.min(scale * (row + 3)) {
                    let weight = Taps::new(&spec, 0, i).weight(row);
                    if weight != 0.0 {
                        let d_y = &d_y[i * out_width..][from..to];
                        for (tile, d_y) in tile[1 + from - start..].iter_mut().zip(d_y) {
                            *tile = A::mul_add(weight, *d_y, *tile);
                        }
                    }
                }
                if doubles(&spec) {
                    // What would fall beside the plane belongs to its first and last element.
                    if start == 0 {
                        tile[0] = tile[1];
                    }
                    if end == out_width {
                        tile[end - start + 1] = tile[end - start];
                    }
                    for (k, d_x) in d_x[start / 2..end / 2].iter_mut().enumerate() {
                        let near = tile[2 * k + 1] + tile[2 * k + 2];
                        let far = tile[2 * k] + tile[2 * k + 3];
                        *d_x = A::mul_add(0.25, far, 0.75 * near);
                    }
                } else {
                    for (d_y, taps) in tile[1..].iter().zip(&taps[..end - start]) {
                        d_x[taps.at] += taps.low * d_y;
                        d_x[taps.next] += taps.high * d_y;
                    }
                }
            }
        }
    }
}
