//! Dropout, element by element.

use gradiron::device::Random;
use gradiron::ops::dropout::{Dropout, DropoutSpec, reference};
use gradiron::ops::fill::Fill as _;

use crate::harness::*;

#[test]
fn the_elements_that_the_counter_says() {
    for len in SIZES.into_iter().chain([64, 4096, 4097, 20_000]) {
        for p in [0.1, 0.5, 0.9, 1.0] {
            let spec = DropoutSpec { p };
            let mut rng = Rng(8);
            let (x, d_y) = (rng.floats(len), rng.floats(len));
            let of = |x: &[f32], call| {
                let mut y = vec![0.0; len];
                reference::dropout(&mut y, &wide(x), Random::default(), call, spec);
                y
            };
            // Two calls drop different elements; a gradient those of its call.
            let expected = [of(&x, 0), of(&x, 1), of(&d_y, 1), of(&d_y, 0)];
            if len <= 300 {
                // The gradient of Σ d_y · y drops what the call dropped.
                assert_gradient("dropout", &wide(&x), &expected[3], |x| {
                    let mut y = vec![0.0; len];
                    reference::dropout(&mut y, x, Random::default(), 0, spec);
                    weighted(&y, &wide(&d_y))
                });
            }
            let outputs = [len, len, len, len, 1, 1];
            let call = Call { outputs: &outputs, inputs: &[&x, &d_y], indices: &[], scratch: 0 };
            call.run(
                |step, y, x, _| {
                    step.dropout(y[0], y[4], x[0], spec);
                    step.dropout(y[1], y[5], x[0], spec);
                    step.dropout_grad(y[2], x[1], y[5], spec);
                    // In place.
                    step.copy(y[3], x[1]);
                    step.dropout_grad(y[3], y[3], y[4], spec);
                },
                |level, got| {
                    for (got, want) in got.iter().zip(&expected) {
                        // One rounding of the scale and one of the product.
                        let bound = |i: usize| 2.0 * EPSILON * f64::abs(want[i]);
                        assert_close(&format!("{len} {p} {level}"), got, want, bound);
                    }
                },
            );
        }
    }
}
