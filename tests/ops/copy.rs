//! Copies and constants.

use gradiron::ops::copy::Fill;

use crate::harness::*;

#[test]
fn copies_and_constants() {
    for len in SIZES.into_iter().chain([0, 100_000]) {
        let x = Rng(16).floats(len);
        let call = Call { outputs: &[len, len], inputs: &[&x], indices: &[], scratch: 0 };
        call.run(
            |step, y, x, _| {
                step.copy(y[0], x[0]);
                step.fill(y[1], 0.5);
            },
            |_, y| {
                assert_eq!(y[0], x);
                assert!(y[1].iter().all(|&y| y == 0.5));
            },
        );
    }
}
