//! Naive permutations in `f64`.

use super::{inverse, strides};

/// `permute`, plain.
pub fn permute<const R: usize>(y: &mut [f64], x: &[f64], dims: [usize; R], axes: [usize; R]) {
    let x_strides = strides(dims);
    let y_dims = axes.map(|axis| dims[axis]);
    let y_strides = strides(y_dims);
    for (at, y) in y.iter_mut().enumerate() {
        let index = |i: usize| at / y_strides[i] % y_dims[i];
        *y = x[(0..R).map(|i| index(i) * x_strides[axes[i]]).sum::<usize>()];
    }
}

/// The gradient of `permute`.
pub fn permute_grad<const R: usize>(
    d_x: &mut [f64],
    d_y: &[f64],
    dims: [usize; R],
    axes: [usize; R],
) {
    permute(d_x, d_y, axes.map(|axis| dims[axis]), inverse(axes));
}
