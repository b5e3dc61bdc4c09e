//! Cross entropy.

use gradiron::device::{Buf, Indices};
use gradiron::ops::cross_entropy::{CrossEntropy, CrossEntropySpec, reference};
use gradiron::ops::elementwise::Map;

use crate::any::AnyKernels;
use crate::harness::*;
use crate::map::Copy;

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
        specs.push(CrossEntropySpec { outer: 3, classes: 4096, inner: 1, smoothing });
        specs.push(CrossEntropySpec { outer: 3, classes: 20_000, inner: 1, smoothing });
        specs.push(CrossEntropySpec { outer: 2, classes: 16_401, inner: 1, smoothing });
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
        let loss = reference::cross_entropy(&x64, &label, spec);
        let mut d_x = vec![0.0; x.len()];
        reference::cross_entropy_grad(&mut d_x, 0.7, &x64, &label, spec);
        let call = Call {
            outputs: &[1, 1, x.len(), 1, x.len(), x.len()],
            inputs: &[&x, &[0.7], &[1.0]],
            indices: &label,
            scratch: 0,
        };
        // |x| <= 4, so |x − m| <= 8, an absolute error of 8·ε before each exponential, which then
        // counts 3; the logarithm turns the relative error of the sum into an absolute one.
        let sum = (8 + 3 + classes) as f64;
        let lse = 4.0 + (classes as f64).ln();
        let share = 0.7 / positions as f64;
        let kernel = |step: &mut AnyKernels<'_>, y: &[Buf], x: &[Buf], _: Buf| {
            let label = Indices::new(0, label.len());
            step.cross_entropy(y[0], x[0], label, spec);
            step.cross_entropy_with_grad(y[1], y[2], x[0], label, spec);
            // In the memory of the logits.
            let (all, copied) = ([y[4].len], [(x[0], [true])]);
            step.map::<Copy, 1, 1, 0, 1>([y[4]], copied, all, []);
            step.cross_entropy_with_grad(y[3], y[4], y[4], label, spec);
            step.cross_entropy_grad(y[4], x[2], y[4]);
            step.cross_entropy_grad(y[5], x[1], y[4]);
            step.cross_entropy_grad(y[2], x[1], y[2]);
        };
        // The gradient is rounded before it is scaled. That of one position alone, times a loss's
        // first scale of 2¹⁶, is beyond an f16.
        if positions > 1 {
            call.run_halves([&[2, 4, 5], &[0]], 1.0 / 256.0, kernel);
        }
        call.run(kernel, |level, got| {
            let name = format!("{spec:?} {level}");
            // The terms are summed in f64; with smoothing each carries a sum of `classes` x,
            // and the constant 1 − s is rounded.
            let smooth = if spec.smoothing > 0.0 { 4.0 * (classes + 4) as f64 } else { 0.0 };
            let bound = (sum + 4.0 * lse + 12.0 + smooth + loss.abs() + 4.0) * EPSILON;
            for k in [0, 1, 3] {
                assert_close(&name, &got[k], &[loss], |_| bound);
            }
            // A share of the sum inherits its error and has that of its own exponential.
            let bound = share * (sum + (8 + 3 + 12) as f64) * EPSILON;
            assert_close(&name, &got[2], &d_x, |_| bound);
            assert_close(&name, &got[5], &d_x, |_| bound);
            assert_eq!(got[2], got[5], "{name}: in place");
        });
        if x.len() > 500 || x.is_empty() {
            continue;
        }
        assert_gradient("cross entropy", &x64, &d_x, |x| {
            0.7 * reference::cross_entropy(x, &label, spec)
        });
    }
}
