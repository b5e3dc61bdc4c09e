//! Pooling of windows 2×2 that lie side by side: pairs of neighbours are taken apart in registers,
//! an output in each lane.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use super::Pool2dSpec;
use crate::math::SimdLevel;
use crate::ops::matmul::vector::{PortableVector, Vector, by_level};

/// Whether these kernels compute it.
pub fn applies(spec: &Pool2dSpec) -> bool {
    spec.kernel == [2, 2]
        && spec.stride == [2, 2]
        && spec.padding == [0, 0]
        && spec.dilation == [1, 1]
}

/// Registers whose lanes are taken apart and put together; places are `u32` in the lanes.
trait Pairs: Vector {
    /// The even and the odd lanes of `low` and `high`, one behind the other.
    unsafe fn split(low: Self, high: Self) -> (Self, Self);
    /// The inverse of `split`.
    unsafe fn zip(even: Self, odd: Self) -> (Self, Self);
    /// `first, first + 2, first + 4, …`
    unsafe fn places(first: u32) -> Self;
    /// `value` and `place` where `value` is greater than `max`, or NaN; else `max` and `at`.
    unsafe fn greater(max: (Self, Self), value: (Self, Self)) -> (Self, Self);
    /// `self` where the bits of `a` and `b` are the same, else zeros.
    unsafe fn where_same(self, a: Self, b: Self) -> Self;
}

#[cfg(target_arch = "x86_64")]
impl Pairs for __m512 {
    #[inline(always)]
    unsafe fn split(low: Self, high: Self) -> (Self, Self) {
        // SAFETY: the caller has AVX-512; so for all methods here.
        unsafe {
            let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            let odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
            (_mm512_permutex2var_ps(low, even, high), _mm512_permutex2var_ps(low, odd, high))
        }
    }
    #[inline(always)]
    unsafe fn zip(even: Self, odd: Self) -> (Self, Self) {
        // SAFETY: as for `split`.
        unsafe {
            let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
            (_mm512_permutex2var_ps(even, low, odd), _mm512_permutex2var_ps(even, high, odd))
        }
    }
    #[inline(always)]
    unsafe fn places(first: u32) -> Self {
        // SAFETY: as for `split`.
        unsafe {
            let lanes =
                _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            _mm512_castsi512_ps(_mm512_add_epi32(lanes, _mm512_set1_epi32(first as i32)))
        }
    }
    #[inline(always)]
    unsafe fn greater(max: (Self, Self), value: (Self, Self)) -> (Self, Self) {
        // SAFETY: as for `split`.
        unsafe {
            let wins = _mm512_cmp_ps_mask(value.0, max.0, _CMP_GT_OQ)
                | _mm512_cmp_ps_mask(value.0, value.0, _CMP_UNORD_Q);
            (_mm512_mask_blend_ps(wins, max.0, value.0), _mm512_mask_blend_ps(wins, max.1, value.1))
        }
    }
    #[inline(always)]
    unsafe fn where_same(self, a: Self, b: Self) -> Self {
        // SAFETY: as for `split`.
        unsafe {
            let (a, b) = (_mm512_castps_si512(a), _mm512_castps_si512(b));
            _mm512_maskz_mov_ps(_mm512_cmpeq_epi32_mask(a, b), self)
        }
    }
}

#[cfg(target_arch = "x86_64")]
impl Pairs for __m256 {
    #[inline(always)]
    unsafe fn split(low: Self, high: Self) -> (Self, Self) {
        // SAFETY: the caller has AVX2; so for all methods here.
        unsafe {
            // The shuffles work within halves.
            let first = _mm256_permute2f128_ps(low, high, 0x20);
            let second = _mm256_permute2f128_ps(low, high, 0x31);
            (_mm256_shuffle_ps(first, second, 0x88), _mm256_shuffle_ps(first, second, 0xdd))
        }
    }
    #[inline(always)]
    unsafe fn zip(even: Self, odd: Self) -> (Self, Self) {
        // SAFETY: as for `split`.
        unsafe {
            let (low, high) = (_mm256_unpacklo_ps(even, odd), _mm256_unpackhi_ps(even, odd));
            (_mm256_permute2f128_ps(low, high, 0x20), _mm256_permute2f128_ps(low, high, 0x31))
        }
    }
    #[inline(always)]
    unsafe fn places(first: u32) -> Self {
        // SAFETY: as for `split`.
        unsafe {
            let lanes = _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14);
            _mm256_castsi256_ps(_mm256_add_epi32(lanes, _mm256_set1_epi32(first as i32)))
        }
    }
    #[inline(always)]
    unsafe fn greater(max: (Self, Self), value: (Self, Self)) -> (Self, Self) {
        // SAFETY: as for `split`.
        unsafe {
            let wins = _mm256_or_ps(
                _mm256_cmp_ps(value.0, max.0, _CMP_GT_OQ),
                _mm256_cmp_ps(value.0, value.0, _CMP_UNORD_Q),
            );
            (_mm256_blendv_ps(max.0, value.0, wins), _mm256_blendv_ps(max.1, value.1, wins))
        }
    }
    #[inline(always)]
    unsafe fn where_same(self, a: Self, b: Self) -> Self {
        // SAFETY: as for `split`.
        unsafe {
            let (a, b) = (_mm256_castps_si256(a), _mm256_castps_si256(b));
            _mm256_and_ps(self, _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b)))
        }
    }
}

/// `[f32; 4]`, which the compiler keeps in a register where it can.
#[inline(always)]
fn lanes(v: PortableVector) -> [f32; 4] {
    bytemuck::cast(v)
}

#[inline(always)]
fn register(lanes: [f32; 4]) -> PortableVector {
    bytemuck::cast(lanes)
}

impl Pairs for PortableVector {
    #[inline(always)]
    unsafe fn split(low: Self, high: Self) -> (Self, Self) {
        let ([a, b, c, d], [e, f, g, h]) = (lanes(low), lanes(high));
        (register([a, c, e, g]), register([b, d, f, h]))
    }
    #[inline(always)]
    unsafe fn zip(even: Self, odd: Self) -> (Self, Self) {
        let ([a, c, e, g], [b, d, f, h]) = (lanes(even), lanes(odd));
        (register([a, b, c, d]), register([e, f, g, h]))
    }
    #[inline(always)]
    unsafe fn places(first: u32) -> Self {
        register([0, 2, 4, 6].map(|lane| f32::from_bits(first + lane)))
    }
    #[inline(always)]
    unsafe fn greater(max: (Self, Self), value: (Self, Self)) -> (Self, Self) {
        let (mut most, mut at) = (lanes(max.0), lanes(max.1).map(f32::to_bits));
        let (values, places) = (lanes(value.0), lanes(value.1).map(f32::to_bits));
        for i in 0..4 {
            let wins = values[i] > most[i] || values[i].is_nan();
            most[i] = if wins { values[i] } else { most[i] };
            at[i] = if wins { places[i] } else { at[i] };
        }
        (register(most), register(at.map(f32::from_bits)))
    }
    #[inline(always)]
    unsafe fn where_same(self, a: Self, b: Self) -> Self {
        let (x, a, b) = (lanes(self), lanes(a), lanes(b));
        let same = |i: usize| a[i].to_bits() == b[i].to_bits();
        register(std::array::from_fn(|i| if same(i) { x[i] } else { 0.0 }))
    }
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
        let plane = spec.height * spec.width;
        let count = inputs.checked_div(plane).unwrap_or(0);
        assert_eq!(count * spec.out_height() * spec.out_width(), y.1);
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

impl<V: Pairs> Run<V> {
    /// The four taps of each output, in order.
    #[inline(always)]
    unsafe fn taps(&self, x: *const f32) -> [V; 4] {
        // SAFETY: the caller lends the planes of the run.
        unsafe {
            let load = |at: usize| {
                let low = V::load_part(x.add(at), self.inputs[0]);
                V::split(low, V::load_part(x.wrapping_add(at + V::LANES), self.inputs[1]))
            };
            let (top, bottom) = (load(self.top), load(self.top + self.width));
            [top.0, top.1, bottom.0, bottom.1]
        }
    }

    /// The places of the four taps.
    #[inline(always)]
    unsafe fn places(&self) -> [V; 4] {
        let (top, bottom) = (self.place as u32, (self.place + self.width) as u32);
        // SAFETY: the caller has the instruction set.
        unsafe { [V::places(top), V::places(top + 1), V::places(bottom), V::places(bottom + 1)] }
    }

    /// Writes the four taps.
    #[inline(always)]
    unsafe fn store(&self, x: *mut f32, taps: [V; 4]) {
        // SAFETY: the caller lends the planes of the run.
        unsafe {
            for (at, i) in [(self.top, 0), (self.top + self.width, 2)] {
                let (low, high) = V::zip(taps[i], taps[i + 1]);
                low.store_part(x.add(at), self.inputs[0]);
                high.store_part(x.wrapping_add(at + V::LANES), self.inputs[1]);
            }
        }
    }
}

/// Calls `f` for all runs, plane after plane.
#[inline(always)]
unsafe fn each_run<V: Pairs>(planes: &Planes, mut f: impl FnMut(Run<V>)) {
    let Pool2dSpec { height, width, .. } = planes.spec;
    let (out_height, out_width) = (planes.spec.out_height(), planes.spec.out_width());
    // SAFETY: the caller has the instruction set.
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
fn clear_rest(planes: &Planes) {
    let Pool2dSpec { height, width, .. } = planes.spec;
    for plane in 0..planes.count {
        // SAFETY: the rows and columns are inside the planes of `x`, which this pass writes.
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
    // SAFETY: `planes` has what the slices lend; `x` is only read.
    by_level!(level, max_runs(&planes => &Planes));
}

#[inline(always)]
unsafe fn max_runs<V: Pairs, const ROWS: usize>(p: &Planes) {
    // SAFETY: the runs are inside the planes, which the caller lends.
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
    // SAFETY: `planes` has what the slices lend; `d_y` and `index` are only read.
    by_level!(level, max_grad_runs(&planes => &Planes));
    clear_rest(&planes);
}

#[inline(always)]
unsafe fn max_grad_runs<V: Pairs, const ROWS: usize>(p: &Planes) {
    // SAFETY: as in `max_runs`.
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
    // SAFETY: as in `max`.
    by_level!(level, avg_runs(&planes => &Planes));
}

#[inline(always)]
unsafe fn avg_runs<V: Pairs, const ROWS: usize>(p: &Planes) {
    // SAFETY: as in `max_runs`.
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
    // SAFETY: as in `max_grad`.
    by_level!(level, avg_grad_runs(&planes => &Planes));
    clear_rest(&planes);
}

#[inline(always)]
unsafe fn avg_grad_runs<V: Pairs, const ROWS: usize>(p: &Planes) {
    // SAFETY: as in `max_runs`.
    unsafe {
        each_run::<V>(p, |run| {
            let d_y = V::load_part(p.y.add(run.out), run.outputs);
            run.store(p.x, [V::splat(0.0).add_product(d_y, V::splat(0.25)); 4]);
        });
    }
}
