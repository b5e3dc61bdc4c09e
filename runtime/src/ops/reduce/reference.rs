//! Naive reductions in `f64`.

use super::{ReduceKind, ReduceSpec};
use crate::ops::permute::strides;

/// The result that element `at` of `x` belongs to.
fn result_of<const R: usize>(at: usize, spec: &ReduceSpec<R>) -> usize {
    let x_strides = strides(spec.dims);
    let mut result = 0;
    for i in (0..R).filter(|&i| spec.kept[i]) {
        result = result * spec.dims[i] + at / x_strides[i] % spec.dims[i];
    }
    result
}

/// `reduce`, plain.
pub fn reduce<const R: usize>(y: &mut [f64], x: &[f64], spec: ReduceSpec<R>) {
    y.fill(match spec.kind {
        ReduceKind::Sum => 0.0,
        ReduceKind::Max => f64::NEG_INFINITY,
        ReduceKind::Min => f64::INFINITY,
    });
    for (at, &x) in x.iter().enumerate() {
        let y = &mut y[result_of(at, &spec)];
        *y = match spec.kind {
            ReduceKind::Sum => *y + x,
            _ if y.is_nan() || x.is_nan() => f64::NAN,
            ReduceKind::Max => y.max(x),
            ReduceKind::Min => y.min(x),
        };
    }
    y.iter_mut().for_each(|y| *y *= f64::from(spec.scale));
}

/// The gradient of `reduce`.
pub fn reduce_grad<const R: usize>(d_x: &mut [f64], d_y: &[f64], x: &[f64], spec: ReduceSpec<R>) {
    let scale = f64::from(spec.scale);
    if spec.kind == ReduceKind::Sum {
        for (at, d_x) in d_x.iter_mut().enumerate() {
            *d_x = scale * d_y[result_of(at, &spec)];
        }
        return;
    }
    let mut extreme = vec![0.0; d_y.len()];
    reduce(&mut extreme, x, ReduceSpec { scale: 1.0, ..spec });
    let mut equals = vec![0.0; d_y.len()];
    let wins = |at: usize| x[at] == extreme[result_of(at, &spec)];
    (0..x.len()).filter(|&at| wins(at)).for_each(|at| equals[result_of(at, &spec)] += 1.0);
    for (at, d_x) in d_x.iter_mut().enumerate() {
        let result = result_of(at, &spec);
        *d_x = if wins(at) { scale * d_y[result] / equals[result] } else { 0.0 };
    }
}
