//! Cross products.

use gradiron::ops::cross::{Cross, CrossSpec, reference};

use crate::harness::*;

#[test]
fn products_and_their_gradients() {
    for [outer, inner] in [[1, 1], [5, 1], [3, 7], [40, 65], [3000, 1]] {
        let spec = CrossSpec { outer, inner };
        let len = outer * 3 * inner;
        let mut rng = Rng(9);
        let (a, b, d_y) = (rng.floats(len), rng.floats(len), rng.floats(len));
        let of = |a: &[f64], b: &[f64]| {
            let mut y = vec![0.0; len];
            reference::cross(&mut y, a, b, spec);
            y
        };
        let (x, z, w) = (wide(&a), wide(&b), wide(&d_y));
        let (y, d_a, d_b) = (of(&x, &z), of(&z, &w), of(&w, &x));
        let call = Call { outputs: &[len], inputs: &[&a, &b], indices: &[], scratch: 0 };
        call.run(
            |step, y, x, _| step.cross(y[0], x[0], x[1], spec),
            // Two products below 1, and their difference.
            |level, got| assert_close(&format!("{spec:?} {level}"), &got[0], &y, |_| 4.0 * EPSILON),
        );
        call.run_halves([&[0], &[0, 1]], 1e-6, |step, y, x, _| step.cross(y[0], x[0], x[1], spec));
        if len <= 300 {
            assert_gradient("cross", &x, &d_a, |x| weighted(&of(x, &z), &w));
            assert_gradient("cross", &z, &d_b, |z| weighted(&of(&x, z), &w));
        }
    }
}
