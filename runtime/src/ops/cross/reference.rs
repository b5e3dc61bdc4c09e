//! Naive cross products in `f64`.

use super::CrossSpec;

/// `cross`, plain.
pub fn cross(y: &mut [f64], a: &[f64], b: &[f64], s: CrossSpec) {
    for (at, y) in y.iter_mut().enumerate() {
        let (o, i, c) = (at / (3 * s.inner), at / s.inner % 3, at % s.inner);
        let place = |i: usize| (o * 3 + i % 3) * s.inner + c;
        *y = a[place(i + 1)] * b[place(i + 2)] - a[place(i + 2)] * b[place(i + 1)];
    }
}
