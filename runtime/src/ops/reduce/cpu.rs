//! Reductions on the CPU. Axes of size 1 vanish and neighbours of one fate merge, so that few
//! patterns remain; the frequent ones have loops of their own.

use super::fold::{COLUMNS, Fold, Max, Min, Sum, fold_columns, fold_row};
use super::{Reduce, ReduceKind, ReduceSpec};
use crate::device::{Buf, CpuKernels, Threads};
use crate::math::{SimdLevel, simd};
use crate::ops::permute::strides;
use crate::ops::{check_len, product};

/// Floats that one thread folds at a time, at least.
const CHUNK: usize = 1 << 14;
/// Into how many parts a reduction to one number is cut, at most.
const PARTS: usize = 64;

/// The axes, merged: alternately kept and reduced.
#[derive(Clone, Copy)]
struct Axes<const R: usize> {
    rank: usize,
    size: [usize; R],
    step: [usize; R],
    kept: [bool; R],
}

impl<const R: usize> Axes<R> {
    fn new(spec: &ReduceSpec<R>) -> Self {
        let x_strides = strides(spec.dims);
        let mut axes = Self { rank: 0, size: [1; R], step: [1; R], kept: [false; R] };
        for i in (0..R).filter(|&i| spec.dims[i] != 1) {
            let last = axes.rank.wrapping_sub(1);
            if axes.rank > 0 && axes.kept[last] == spec.kept[i] {
                axes.size[last] *= spec.dims[i];
                axes.step[last] = x_strides[i];
            } else {
                axes.size[axes.rank] = spec.dims[i];
                axes.step[axes.rank] = x_strides[i];
                axes.kept[axes.rank] = spec.kept[i];
                axes.rank += 1;
            }
        }
        axes
    }
}

impl Reduce for CpuKernels<'_> {
    // Inlined where the kind is known, so that a program has the code of its kinds alone.
    #[inline]
    fn reduce<const R: usize>(&mut self, y: Buf, x: Buf, spec: ReduceSpec<R>) {
        match spec.kind {
            ReduceKind::Sum => self.reduce_with::<Sum, R>(y, x, spec),
            ReduceKind::Max => self.reduce_with::<Max, R>(y, x, spec),
            ReduceKind::Min => self.reduce_with::<Min, R>(y, x, spec),
        }
    }
}

impl CpuKernels<'_> {
    #[inline(never)]
    fn reduce_with<F: Loops, const R: usize>(&mut self, y: Buf, x: Buf, spec: ReduceSpec<R>) {
        let (threads, level) = (self.threads(), self.level());
        let ([y], [x]) = self.views([y], [x]);
        check_len("what is reduced", x.len(), product(spec.dims));
        check_len("what is left", y.len(), spec.output_len());
        if x.is_empty() {
            return y.fill(F::NEUTRAL * spec.scale);
        }
        reduce::<F, R>(threads, level, y, x, &Axes::new(&spec), spec.scale);
    }
}

/// The vectorised loops of one kind.
trait Loops: Fold {
    fn row(level: SimdLevel, x: &[f32]) -> f64;
    fn columns(level: SimdLevel, y: &mut [f32], x: &[f32], sizes: [usize; 2], scale: f32);
}

macro_rules! loops {
    ($($kind:ident: $row:ident $columns:ident,)*) => {
        $(simd! {
            fn $row<A>(x: &[f32]) -> f64 {
                fold_row::<$kind>(x)
            }
        }
        simd! {
            fn $columns<A>(y: &mut [f32], x: &[f32], sizes: [usize; 2], scale: f32) {
                fold_columns::<$kind>(y, x, sizes[0], sizes[1], scale)
            }
        }
        impl Loops for $kind {
            fn row(level: SimdLevel, x: &[f32]) -> f64 {
                $row(level, x)
            }

            fn columns(level: SimdLevel, y: &mut [f32], x: &[f32], sizes: [usize; 2], scale: f32) {
                $columns(level, y, x, sizes, scale);
            }
        })*
    };
}
loops! {
    Sum: sum_row sum_columns,
    Max: max_row max_columns,
    Min: min_row min_columns,
}

fn reduce<F: Loops, const R: usize>(
    threads: &Threads,
    level: SimdLevel,
    y: &mut [f32],
    x: &[f32],
    axes: &Axes<R>,
    scale: f32,
) {
    let work = x.len();
    let scaled = |folded: f64| (folded * f64::from(scale)) as f32;
    match (&axes.kept[..axes.rank], &axes.size[..axes.rank]) {
        ([] | [true], _) => y.iter_mut().zip(x).for_each(|(y, x)| *y = x * scale),
        // x [N] → y []
        ([false], _) => {
            let each = x.len().div_ceil(PARTS).next_multiple_of(CHUNK);
            let mut parts = [0.0; PARTS];
            let count = x.len().div_ceil(each);
            threads.split(work, &mut parts[..count], 1, |i, part| {
                part[0] = F::row(level, &x[i * each..x.len().min((i + 1) * each)]);
            });
            y[0] = scaled(parts[..count].iter().copied().reduce(F::join).unwrap_or_default());
        }
        // x [N, K] → y [N]
        ([true, false], &[_, k]) => {
            let each = CHUNK.div_ceil(k);
            threads.split(work, y, each, |i, y| {
                for (y, x) in y.iter_mut().zip(x[i * each * k..].chunks_exact(k)) {
                    *y = scaled(F::row(level, x));
                }
            });
        }
        // x [K, N] → y [N]
        ([false, true], &[k, n]) => {
            threads.split(work, y, COLUMNS, |i, y| {
                F::columns(level, y, &x[i * COLUMNS..], [n, k], scale);
            });
        }
        // x [B, N, K] → y [N]
        ([false, true, false], &[b, n, k]) => {
            threads.split(work, y, 1, |i, y| {
                let row = |batch: usize| F::row(level, &x[(batch * n + i) * k..][..k]);
                y[0] = scaled((0..b).map(row).reduce(F::join).unwrap_or_default());
            });
        }
        _ => {
            let each = (CHUNK * y.len() / x.len()).max(1);
            threads.split(work, y, each, |chunk, y| {
                for (i, y) in y.iter_mut().enumerate() {
                    *y = scaled(fold_axes::<F, R>(&x[start(axes, chunk * each + i)..], axes, 0));
                }
            });
        }
    }
}

/// Where the elements of a result start.
fn start<const R: usize>(axes: &Axes<R>, mut result: usize) -> usize {
    let mut start = 0;
    for i in (0..axes.rank).rev().filter(|&i| axes.kept[i]) {
        start += result % axes.size[i] * axes.step[i];
        result /= axes.size[i];
    }
    start
}

/// Folds over the reduced axes from `axis` on.
fn fold_axes<F: Fold, const R: usize>(x: &[f32], axes: &Axes<R>, axis: usize) -> f64 {
    let Some(axis) = (axis..axes.rank).find(|&i| !axes.kept[i]) else {
        return f64::from(x[0]);
    };
    if axes.step[axis] == 1 {
        return fold_row::<F>(&x[..axes.size[axis]]);
    }
    let folded = |i: usize| fold_axes::<F, R>(&x[i * axes.step[axis]..], axes, axis + 1);
    (0..axes.size[axis]).map(folded).reduce(F::join).unwrap_or_default()
}
