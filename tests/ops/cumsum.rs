//! Running sums.

use gradiron::ops::cumsum::{Cumsum, CumsumSpec, reference};

use crate::harness::*;

#[test]
fn running_sums() {
    // More than a block has threads.
    for [outer, size, inner] in AXES.into_iter().chain([[3, 2500, 1], [2, 1025, 1]]) {
        for reverse in [false, true] {
            let spec = CumsumSpec { outer, size, inner, reverse };
            let x = Rng(4).floats(outer * size * inner);
            let [mut y, mut sums] = [0, 1].map(|_| vec![0.0; x.len()]);
            reference::cumsum(&mut y, &wide(&x), spec);
            reference::cumsum(&mut sums, &abs(&wide(&x)), spec);
            let call = Call { outputs: &[x.len()], inputs: &[&x], indices: &[], scratch: 0 };
            call.run(
                |step, y, x, _| step.cumsum(y[0], x[0], spec),
                |level, got| {
                    // The last rounding, and on a GPU those of a scan by a block's threads.
                    let bound = |i: usize| 16.0 * EPSILON * sums[i];
                    assert_close(&format!("{spec:?} {level}"), &got[0], &y, bound);
                },
            );
            if x.len() <= 300 {
                // The gradient of Σ w · y is the sum of w from the other end.
                let w = wide(&Rng(5).floats(x.len()));
                let mut d_x = vec![0.0; x.len()];
                reference::cumsum(&mut d_x, &w, CumsumSpec { reverse: !reverse, ..spec });
                assert_gradient("cumsum", &wide(&x), &d_x, |x| {
                    let mut y = vec![0.0; x.len()];
                    reference::cumsum(&mut y, x, spec);
                    weighted(&y, &w)
                });
            }
        }
    }
}

#[test]
fn long_running_sums() {
    // 5,000,000 · 0.0005 = 2500, and as many columns of fewer.
    for [outer, size, inner] in [[1, 5_000_000, 1], [1, 70_000, 70]] {
        for reverse in [false, true] {
            let spec = CumsumSpec { outer, size, inner, reverse };
            let x = vec![0.0005; size * inner];
            let call = Call { outputs: &[x.len()], inputs: &[&x], indices: &[], scratch: 0 };
            call.run(
                |step, y, x, _| step.cumsum(y[0], x[0], spec),
                |level, got| {
                    for (i, y) in got[0].iter().enumerate() {
                        let turn = i / inner;
                        let terms = if reverse { size - turn } else { turn + 1 };
                        let want = terms as f64 * f64::from(0.0005_f32);
                        let error = (f64::from(*y) - want).abs();
                        assert!(error <= 16.0 * EPSILON * want, "{level} {spec:?}: {y} not {want}");
                    }
                },
            );
        }
    }
}
