//! Pooling of windows 2×2 that lie side by side: pairs of neighbours are taken apart in registers,
//! an output in each lane.

use super::Pool2dSpec;
use crate::math::{SimdLevel, Vector, by_level};
use crate::ops::{check_len, product};

/// Whether these kernels compute it.
pub fn applies(spec: &Pool2dSpec) -> bool {
    spec.kernel == [2, 2]
        && spec.stride == [2, 2]
        && spec.padding == [0, 0]
        && spec.dilation == [1, 1]
}

/// Whole planes of a pass.
struct Planes {
    spec: Pool2dSpec,
    count: usize,
    /// `[count, height, width]`
    x: *mut f32,
    /// `[count, out_height, out_width]`
    y: *mut f32,
    /// The places of the maxima, as `y`; null where nobody asks.
    index: *mut f32,
}

impl Planes {
    /// The planes of `inputs` floats, as many as there are outputs for.
    fn new(spec: Pool2dSpec, (x, inputs): (*const f32, usize), y: (*const f32, usize)) -> Self {
        let plane = product([spec.height, spec.width]);
        let count = inputs.checked_div(plane).unwrap_or(0);
        check_len("pooled planes", y.1, product([count, spec.out_height(), spec.out_width()]));
        Self { spec, count, x: x.cast_mut(), y: y.0.cast_mut(), index: std::ptr::null_mut() }
    }
}

/// A register of outputs, and its two rows of inputs.
struct Run<V: Vector> {
    /// Of the first output, in `y`.
    out: usize,
    /// Of the first input, in `x` and in its plane.
    top: usize,
    place: usize,
    width: usize,
    outputs: V::Mask,
    inputs: [V::Mask; 2],
}

impl<V: Vector> Run<V> {
    /// The four taps of each output, in order.
    #[inline(always)]
    unsafe fn taps(&self, x: *const f32) -> [V; 4] {
        // SAFETY: the caller lends the planes of the run: two rows of them, of which the masks
        // choose two inputs for each output. It has the instruction set of `V`.
        unsafe {
            let load = |at: usize| {
                let low = V::load_part(x.add(at), self.inputs[0]);
                V::deinterleave(low, V::load_part(x.wrapping_add(at + V::LANES), self.inputs[1]))
            };
            let (top, bottom) = (load(self.top), load(self.top + self.width));
            [top.0, top.1, bottom.0, bottom.1]
        }
    }

    /// The places of the four taps.
    #[inline(always)]
    unsafe fn places(&self) -> [V; 4] {
        let (top, bottom) = (self.place as u32, (self.place + self.width) as u32);
        // SAFETY: registers alone are made, and the caller has the instruction set of `V`.
        unsafe {
            [
                V::count_by_two(top),
                V::count_by_two(top + 1),
                V::count_by_two(bottom),
                V::count_by_two(bottom + 1),
            ]
        }
    }

    /// Writes the four taps.
    #[inline(always)]
    unsafe fn store(&self, x: *mut f32, taps: [V; 4]) {
        // SAFETY: the caller lends the planes of the run to write: two rows of them, of which the
        // masks choose two inputs for each output. It has the instruction set of `V`.
        unsafe {
            for (at, i) in [(self.top, 0), (self.top + self.width, 2)] {
                let (low, high) = V::interleave(taps[i], taps[i + 1]);
                low.store_part(x.add(at), self.inputs[0]);
                high.store_part(x.wrapping_add(at + V::LANES), self.inputs[1]);
            }
        }
    }
}

/// Calls `f` for all runs, plane after plane.
#[inline(always)]
unsafe fn each_run<V: Vector>(planes: &Planes, mut f: impl FnMut(Run<V>)) {
    let Pool2dSpec { height, width, .. } = planes.spec;
    let (out_height, out_width) = (planes.spec.out_height(), planes.spec.out_width());
    // SAFETY: a mask is made of numbers alone, and the caller has the instruction set of `V`.
    let masks = |outputs: usize| unsafe {
        let high = (2 * outputs).saturating_sub(V::LANES);
        (V::mask(outputs), [V::mask(2 * outputs), V::mask(high)])
    };
    let (whole, part) = (masks(V::LANES), masks(out_width % V::LANES));
    for plane in 0..planes.count {
        for row in 0..out_height {
            for j in (0..out_width).step_by(V::LANES) {
                let (outputs, inputs) = if j + V::LANES <= out_width { whole } else { part };
                let place = 2 * row * width + 2 * j;
                f(Run {
                    out: (plane * out_height + row) * out_width + j,
                    top: plane * height * width + place,
                    place,
                    width,
                    outputs,
                    inputs,
                });
            }
        }
    }
}

/// Zeros in the last row and column where they are odd, which no window meets.
///
/// # Safety
/// `planes.x` is lent to write.
unsafe fn clear_rest(planes: &Planes) {
    let Pool2dSpec { height, width, .. } = planes.spec;
    for plane in 0..planes.count {
        // SAFETY: an odd number is not 0, so the last row and the last column are inside each of
        // the `count` planes, which the caller lends; zero bytes are floats.
        unsafe {
            let x = planes.x.add(plane * height * width);
            if !height.is_multiple_of(2) {
                x.add((height - 1) * width).write_bytes(0, width);
            }
            if !width.is_multiple_of(2) {
                (0..height).for_each(|row| *x.add(row * width + width - 1) = 0.0);
            }
        }
    }
}

/// The maxima and their places.
pub fn max(level: SimdLevel, y: &mut [f32], index: &mut [f32], x: &[f32], spec: Pool2dSpec) {
    let mut planes = Planes::new(spec, (x.as_ptr(), x.len()), (y.as_mut_ptr(), y.len()));
    if !index.is_empty() {
        assert_eq!(index.len(), y.len());
        planes.index = index.as_mut_ptr();
    }
    // SAFETY: `Planes::new` found as many planes in `x` as `y` has outputs for, and `index` is as
    // long as `y`, or null; `x` is only read. The slices are lent for this call.
    by_level!(level, max_runs(&planes => &Planes));
}

#[inline(always)]
unsafe fn max_runs<V: Vector, const ROWS: usize>(p: &Planes) {
    // SAFETY: `each_run` makes runs of the outputs of all planes alone, and `max` lends `x`, `y`
    // and `index` for them; the runs of a mask end with the row.
    unsafe {
        each_run::<V>(p, |run| {
            let (taps, places) = (run.taps(p.x), run.places());
            let mut max = (taps[0], places[0]);
            for i in 1..4 {
                max = V::greater(max, (taps[i], places[i]));
            }
            max.0.store_part(p.y.add(run.out), run.outputs);
            if !p.index.is_null() {
                max.1.store_part(p.index.add(run.out), run.outputs);
            }
        });
    }
}

/// The gradient of [`max`].
pub fn max_grad(level: SimdLevel, d_x: &mut [f32], d_y: &[f32], index: &[f32], spec: Pool2dSpec) {
    assert_eq!(index.len(), d_y.len());
    let mut planes = Planes::new(spec, (d_x.as_mut_ptr(), d_x.len()), (d_y.as_ptr(), d_y.len()));
    planes.index = index.as_ptr().cast_mut();
    // SAFETY: `Planes::new` found as many planes in `d_x` as there are in `d_y`, and `index` is as
    // long; these two are only read. The slices are lent for this call.
    by_level!(level, max_grad_runs(&planes => &Planes));
    // SAFETY: `planes.x` is `d_x`, which is lent to write.
    unsafe { clear_rest(&planes) };
}

#[inline(always)]
unsafe fn max_grad_runs<V: Vector, const ROWS: usize>(p: &Planes) {
    // SAFETY: `each_run` makes runs of the outputs of all planes alone, for which `max_grad` lends
    // `d_x` to write, `d_y` and `index`; the runs of a mask end with the row.
    unsafe {
        each_run::<V>(p, |run| {
            let d_y = V::load_part(p.y.add(run.out), run.outputs);
            let at = V::load_part(p.index.add(run.out), run.outputs);
            let mut taps = run.places();
            for tap in &mut taps {
                *tap = d_y.where_same(at, *tap);
            }
            run.store(p.x, taps);
        });
    }
}

/// The averages.
pub fn avg(level: SimdLevel, y: &mut [f32], x: &[f32], spec: Pool2dSpec) {
    let planes = Planes::new(spec, (x.as_ptr(), x.len()), (y.as_mut_ptr(), y.len()));
    // SAFETY: `Planes::new` found as many planes in `x` as `y` has outputs for; `x` is only read.
    // Both are lent for this call.
    by_level!(level, avg_runs(&planes => &Planes));
}

#[inline(always)]
unsafe fn avg_runs<V: Vector, const ROWS: usize>(p: &Planes) {
    // SAFETY: `each_run` makes runs of the outputs of all planes alone, for which `avg` lends `x`,
    // and `y` to write,; the runs of a mask end with the row.
    unsafe {
        each_run::<V>(p, |run| {
            let [a, b, c, d] = run.taps(p.x);
            let sum = a.add(b).add(c.add(d));
            let mean = V::splat(0.0).add_product(sum, V::splat(0.25));
            mean.store_part(p.y.add(run.out), run.outputs);
        });
    }
}

/// The gradient of [`avg`].
pub fn avg_grad(level: SimdLevel, d_x: &mut [f32], d_y: &[f32], spec: Pool2dSpec) {
    let planes = Planes::new(spec, (d_x.as_mut_ptr(), d_x.len()), (d_y.as_ptr(), d_y.len()));
    // SAFETY: `Planes::new` found as many planes in `d_x` as there are in `d_y`, which is only
    // read. Both are lent for this call.
    by_level!(level, avg_grad_runs(&planes => &Planes));
    // SAFETY: `planes.x` is `d_x`, which is lent to write.
    unsafe { clear_rest(&planes) };
}

#[inline(always)]
unsafe fn avg_grad_runs<V: Vector, const ROWS: usize>(p: &Planes) {
    // SAFETY: `each_run` makes runs of the outputs of all planes alone, for which `avg_grad` lends
    // `d_x` to write, and `d_y`; the runs of a mask end with the row.
    unsafe {
        each_run::<V>(p, |run| {
            let d_y = V::load_part(p.y.add(run.out), run.outputs);
            run.store(p.x, [V::splat(0.0).add_product(d_y, V::splat(0.25)); 4]);
        });
    }
}
