//! Plain concatenation.

use super::CatSpec;

/// `cat`, plain.
pub fn cat(y: &mut [f64], x: &[f64], spec: CatSpec) {
    for (i, x) in x.iter().enumerate() {
        y[i / spec.len * spec.total + spec.start + i % spec.len] = *x;
    }
}

/// The gradient of `cat`.
pub fn cat_grad(d_x: &mut [f64], d_y: &[f64], spec: CatSpec) {
    for (i, d_x) in d_x.iter_mut().enumerate() {
        *d_x = d_y[i / spec.len * spec.total + spec.start + i % spec.len];
    }
}
