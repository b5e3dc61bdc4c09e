//! Rotations by position, and sinusoidal encodings.

use gradiron::ops::rotary::{Rotary, RotarySpec, reference};

use crate::harness::*;

#[test]
fn rotations_and_their_gradients() {
    for [outer, len, inner, dim] in
        [[1, 1, 1, 2], [2, 5, 3, 6], [3, 9, 1, 16], [1, 40, 2, 34], [2, 17, 4, 64], [1, 3, 1, 300]]
    {
        for (past, interleaved) in [(0, false), (3, false), (0, true), (100, true)] {
            for inverse in [false, true] {
                let base = if dim == 6 { 100.0 } else { 10_000.0 };
                check(RotarySpec { outer, len, inner, dim, past, base, interleaved, inverse });
            }
        }
    }
}

fn check(spec: RotarySpec) {
    let x = Rng(5).floats(spec.outer * spec.len * spec.inner * spec.dim);
    let wide_x = wide(&x);
    let mut y = vec![0.0; x.len()];
    reference::rotary(&mut y, &wide_x, spec);
    let call = Call { outputs: &[x.len()], inputs: &[&x], indices: &[], scratch: 0 };
    call.run(
        |step, y, x, _| step.rotary(y[0], x[0], spec),
        // Two products below 1 with cosine and sine, which are wrong by 2 ulp and by the rounding
        // of an angle up to π.
        |level, got| assert_close(&format!("{spec:?} {level}"), &got[0], &y, |_| 16.0 * EPSILON),
    );
    if x.len() <= 300 {
        // The gradient of Σ w · y is w, turned back.
        let w = wide(&Rng(6).floats(x.len()));
        let mut d_x = vec![0.0; x.len()];
        reference::rotary(&mut d_x, &w, RotarySpec { inverse: !spec.inverse, ..spec });
        assert_gradient("rotary", &wide_x, &d_x, |x| {
            let mut y = vec![0.0; x.len()];
            reference::rotary(&mut y, x, spec);
            weighted(&y, &w)
        });
    }
}

#[test]
fn encodings() {
    for (len, dim, base) in [(1, 1, 10_000.0), (7, 5, 10_000.0), (65, 64, 100.0), (300, 258, 1e4)] {
        let mut y = vec![0.0; len * dim];
        reference::sinusoidal(&mut y, dim, base);
        let call = Call { outputs: &[y.len()], inputs: &[], indices: &[], scratch: 0 };
        call.run(
            |step, y, _, _| step.sinusoidal(y[0], len, dim, base),
            |level, got| {
                assert_close(&format!("{len} {dim} {level}"), &got[0], &y, |_| 6.0 * EPSILON)
            },
        );
    }
}
