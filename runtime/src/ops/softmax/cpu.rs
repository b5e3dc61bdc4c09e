//! Softmax on the CPU. Rows are vectorised along their elements where these are neighbours, and
//! across up to [`COLUMNS`] distributions where they are not.

use super::{Softmax, SoftmaxSpec};
use crate::device::{Buf, CpuKernels};
use crate::math::{self, Arith, simd};
use crate::ops::reduce::{COLUMNS, ColumnSums, Fold, Max, Sum, fold_row};
use crate::ops::{check_len, product};

/// Elements that one thread takes at a time, at least.
const CHUNK: usize = 1 << 12;

impl SoftmaxSpec {
    fn outer_each(&self) -> usize {
        CHUNK.div_ceil(product([self.size, self.inner]).max(1))
    }
}

/// The kernels map `[size, inner]` slabs; slab `i` of `y` belongs to slab `i` of the inputs.
macro_rules! kernels {
    ($($name:ident($y:ident, $($x:ident),*): $slab:ident;)*) => {
        $(fn $name(&mut self, $y: Buf, $($x: Buf,)* spec: SoftmaxSpec) {
            let (threads, level) = (self.threads(), self.level());
            let ([$y], [$($x),*]) = self.views([$y], [$($x),*]);
            check_len("a softmax", $y.len(), spec.elements());
            $(check_len("its operand", $x.len(), $y.len());)*
            let slab = product([spec.size, spec.inner]);
            let each = product([spec.outer_each(), slab]);
            threads.split(16 * $y.len(), $y, each, |i, $y| {
                $(let $x = &$x[i * each..][..$y.len()];)*
                $slab(level, $y, $($x,)* spec);
            });
        })*
    };
}

impl Softmax for CpuKernels<'_> {
    kernels! {
        softmax(y, x): softmax_slabs;
        log_softmax(y, x): log_softmax_slabs;
        softmax_grad(d_x, d_y, y): softmax_grad_slabs;
        log_softmax_grad(d_x, d_y, y): log_softmax_grad_slabs;
    }
}

simd! {
    fn softmax_slabs<A>(y: &mut [f32], x: &[f32], spec: SoftmaxSpec) {
        let slab = spec.size * spec.inner;
        for (y, x) in y.chunks_exact_mut(slab).zip(x.chunks_exact(slab)) {
            if spec.inner == 1 {
                y.copy_from_slice(x);
                let sum = exp_row::<A>(y, fold_row::<Max>(x) as f32);
                let scale = 1.0 / sum;
                y.iter_mut().for_each(|y| *y *= scale);
            } else {
                for col in (0..spec.inner).step_by(COLUMNS) {
                    let (_, sum) = exp_columns::<A>(y, x, spec, col);
                    let scale = sum.map(|sum| 1.0 / sum);
                    for row in y.chunks_exact_mut(spec.inner) {
                        for (y, scale) in row[col..].iter_mut().zip(&scale) {
                            *y *= scale;
                        }
                    }
                }
            }
        }
    }
}

simd! {
    fn log_softmax_slabs<A>(y: &mut [f32], x: &[f32], spec: SoftmaxSpec) {
        let slab = spec.size * spec.inner;
        for (y, x) in y.chunks_exact_mut(slab).zip(x.chunks_exact(slab)) {
            if spec.inner == 1 {
                let max = fold_row::<Max>(x) as f32;
                y.copy_from_slice(x);
                let sum = exp_row::<A>(y, max);
                let log = math::log::<A>(sum);
                for (y, x) in y.iter_mut().zip(x) {
                    *y = (x - max) - log;
                }
            } else {
                for col in (0..spec.inner).step_by(COLUMNS) {
                    let (max, mut log) = exp_columns::<A>(y, x, spec, col);
                    for sum in &mut log {
                        *sum = math::log::<A>(*sum);
                    }
                    let rows = y.chunks_exact_mut(spec.inner).zip(x.chunks_exact(spec.inner));
                    for (y, x) in rows {
                        for (((y, x), max), log) in
                            y[col..].iter_mut().zip(&x[col..]).zip(&max).zip(&log)
                        {
                            *y = (x - max) - log;
                        }
                    }
                }
            }
        }
    }
}

/// Elements of which a sum is taken while they are in the first-level cache.
pub(crate) const EXPS: usize = 512;

/// `e^(x − max)` in place of `x`; returns the sum.
#[inline(always)]
pub(crate) fn exp_row<A: Arith>(x: &mut [f32], max: f32) -> f32 {
    let mut sum = 0.0_f64;
    for x in x.chunks_mut(EXPS) {
        x.iter_mut().for_each(|x| *x = math::exp::<A>(*x - max));
        sum += fold_row::<Sum>(x);
    }
    sum as f32
}

/// `y = e^(x − m)` for the columns from `col` on; returns `m` and the sums.
#[inline(always)]
fn exp_columns<A: Arith>(
    y: &mut [f32],
    x: &[f32],
    spec: SoftmaxSpec,
    col: usize,
) -> ([f32; COLUMNS], [f32; COLUMNS]) {
    let mut max = [f32::NEG_INFINITY; COLUMNS];
    for x in x.chunks_exact(spec.inner) {
        for (max, x) in max.iter_mut().zip(&x[col..]) {
            *max = Max::fold(*max, *x);
        }
    }
    let mut sums = ColumnSums::new();
    for (y, x) in y.chunks_exact_mut(spec.inner).zip(x.chunks_exact(spec.inner)) {
        let columns = y[col..].iter_mut().zip(&x[col..]).zip(&max);
        for (((y, x), max), sum) in columns.zip(sums.next_row()) {
            *y = math::exp::<A>(x - max);
            *sum += *y;
        }
    }
    (max, sums.finish())
}

simd! {
    fn softmax_grad_slabs<A>(d_x: &mut [f32], d_y: &[f32], y: &[f32], spec: SoftmaxSpec) {
        let slab = spec.size * spec.inner;
        let slabs = d_x.chunks_exact_mut(slab).zip(d_y.chunks_exact(slab)).zip(y.chunks_exact(slab));
        for ((d_x, d_y), y) in slabs {
            if spec.inner == 1 {
                for ((d_x, d_y), y) in d_x.iter_mut().zip(d_y).zip(y) {
                    *d_x = d_y * y;
                }
                let dot = fold_row::<Sum>(d_x) as f32;
                for ((d_x, d_y), y) in d_x.iter_mut().zip(d_y).zip(y) {
                    *d_x = y * (d_y - dot);
                }
                continue;
            }
            for col in (0..spec.inner).step_by(COLUMNS) {
                let mut dots = ColumnSums::new();
                for (d_y, y) in d_y.chunks_exact(spec.inner).zip(y.chunks_exact(spec.inner)) {
                    let columns = dots.next_row().iter_mut().zip(&d_y[col..]).zip(&y[col..]);
                    for ((dot, d_y), y) in columns {
                        *dot = A::mul_add(*d_y, *y, *dot);
                    }
                }
                let dot = dots.finish();
                let rows = d_x.chunks_exact_mut(spec.inner).zip(d_y.chunks_exact(spec.inner));
                for ((d_x, d_y), y) in rows.zip(y.chunks_exact(spec.inner)) {
                    let columns = d_x[col..].iter_mut().zip(&d_y[col..]).zip(&y[col..]);
                    for (((d_x, d_y), y), dot) in columns.zip(&dot) {
                        *d_x = y * (d_y - dot);
                    }
                }
            }
        }
    }
}

simd! {
    fn log_softmax_grad_slabs<A>(d_x: &mut [f32], d_y: &[f32], y: &[f32], spec: SoftmaxSpec) {
        let slab = spec.size * spec.inner;
        let slabs = d_x.chunks_exact_mut(slab).zip(d_y.chunks_exact(slab)).zip(y.chunks_exact(slab));
        for ((d_x, d_y), y) in slabs {
            if spec.inner == 1 {
                let sum = fold_row::<Sum>(d_y) as f32;
                for ((d_x, d_y), y) in d_x.iter_mut().zip(d_y).zip(y) {
                    *d_x = A::mul_add(-math::exp::<A>(*y), sum, *d_y);
                }
                continue;
            }
            for col in (0..spec.inner).step_by(COLUMNS) {
                let mut sums = ColumnSums::new();
                for d_y in d_y.chunks_exact(spec.inner) {
                    for (sum, d_y) in sums.next_row().iter_mut().zip(&d_y[col..]) {
                        *sum += d_y;
                    }
                }
                let sum = sums.finish();
                let rows = d_x.chunks_exact_mut(spec.inner).zip(d_y.chunks_exact(spec.inner));
                for ((d_x, d_y), y) in rows.zip(y.chunks_exact(spec.inner)) {
                    let columns = d_x[col..].iter_mut().zip(&d_y[col..]).zip(&y[col..]);
                    for (((d_x, d_y), y), sum) in columns.zip(&sum) {
                        *d_x = A::mul_add(-math::exp::<A>(*y), *sum, *d_y);
                    }
                }
            }
        }
    }
}
