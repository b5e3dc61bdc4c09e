//! Cross entropy.

use gradiron::device::Indices;
use gradiron::ops::cross_entropy::{CrossEntropy, CrossEntropySpec, reference};

use crate::harness::*;

fn specs() -> Vec<CrossEntropySpec> {
    let mut specs = Vec::new();
    for smoothing in [0.0, 0.1] {
        for classes in SIZES {
            for (outer, inner) in [(1, 1), (7, 1), (64, 1), (3, 17), (2, 65)] {
                specs.push(CrossEntropySpec { outer, classes, inner, smoothing });
            }
        }
        specs.push(CrossEntropySpec { outer: 128, classes: 1000, inner: 1, smoothing });
        specs.push(CrossEntropySpec { outer: 1000, classes: 10, inner: 1, smoothing });
        specs.push(CrossEntropySpec { outer: 0, classes: 10, inner: 1, smoothing });
    }
    specs
}

#[test]
fn loss_and_gradient() {
    for spec in specs() {
        let mut rng = Rng(13);
        let (classes, positions) = (spec.classes, spec.positions());
        let x: Vec<f32> = rng.floats(classes * positions).iter().map(|x| x * 4.0).collect();
        let x64 = wide(&x);
        let label = rng.labels(positions, classes);
        let mut lse = vec![0.0; positions];
        let loss = reference::cross_entropy(&mut lse, &x64, &label, spec);
        let mut d_x = vec![0.0; x.len()];
        reference::cross_entropy_grad(&mut d_x, 0.7, &x64, &lse, &label, spec);
        let call = Call {
            outputs: &[1, positions, x.len()],
            inputs: &[&x, &[0.7]],
            indices: &label,
            scratch: 0,
        };
        // |x| <= 4, so |x − m| <= 8, an absolute error of 8·ε before each exponential, which then
        // counts 3; the logarithm turns the relative error of the sum into an absolute one.
        let sum = (8 + 3 + classes) as f64;
        let lse_bound = |lse: f64| (sum + 4.0 * lse.abs() + 12.0) * EPSILON;
        let worst = lse.iter().fold(0.0, |worst: f64, &lse| worst.max(lse_bound(lse)));
        let share = 0.7 / positions as f64;
        call.run(
            |step, y, x, _| {
                let label = Indices::new(0, label.len());
                step.cross_entropy(y[0], y[1], x[0], label, spec);
                step.cross_entropy_grad(y[2], x[1], x[0], y[1], label, spec);
            },
            |level, got| {
                let name = format!("{spec:?} {level}");
                assert_close(&name, &got[1], &lse, |i| lse_bound(lse[i]));
                // The terms are summed in f64; with smoothing each carries a sum of `classes` x,
                // and the constant 1 − s is rounded.
                let smooth = if spec.smoothing > 0.0 { 4.0 * (classes + 4) as f64 } else { 0.0 };
                let bound = worst + (smooth + loss.abs() + 4.0) * EPSILON;
                assert_close(&name, &got[0], &[loss], |_| bound);
                // e^(x − lse) <= 1 inherits the error of lse and of the subtraction.
                let bound = share * (worst + (16.0 + 12.0) * EPSILON);
                assert_close(&name, &got[2], &d_x, |_| bound);
            },
        );
        if x.len() > 500 || x.is_empty() {
            continue;
        }
        assert_gradient("cross entropy", &x64, &d_x, |x| {
            0.7 * reference::cross_entropy(&mut vec![0.0; positions], x, &label, spec)
        });
    }
}
