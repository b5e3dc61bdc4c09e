//! Naive products in `f64`.

use super::MatmulSpec;

/// `matmul`, plain.
pub fn matmul(y: &mut [f64], a: &[f64], b: &[f64], spec: MatmulSpec) {
    let ((a_row, a_k), (b_k, b_col)) = (spec.a_strides(), spec.b_strides());
    for i in 0..spec.m {
        for j in 0..spec.n {
            let terms = (0..spec.k).map(|p| a[i * a_row + p * a_k] * b[p * b_k + j * b_col]);
            y[i * spec.n + j] = terms.sum();
        }
    }
}

/// The gradient of `matmul`.
pub fn matmul_grad(
    d_a: &mut [f64],
    d_b: &mut [f64],
    d_y: &[f64],
    a: &[f64],
    b: &[f64],
    spec: MatmulSpec,
) {
    let ((a_row, a_k), (b_k, b_col)) = (spec.a_strides(), spec.b_strides());
    d_a.fill(0.0);
    d_b.fill(0.0);
    for i in 0..spec.m {
        for j in 0..spec.n {
            for p in 0..spec.k {
                let (at_a, at_b) = (i * a_row + p * a_k, p * b_k + j * b_col);
                d_a[at_a] += d_y[i * spec.n + j] * b[at_b];
                d_b[at_b] += d_y[i * spec.n + j] * a[at_a];
            }
        }
    }
}
