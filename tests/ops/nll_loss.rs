//! Negative log likelihood.

use gradiron::device::Indices;
use gradiron::ops::nll_loss::{NllLoss, NllLossSpec, reference};

use crate::harness::*;

#[test]
fn loss_and_gradient() {
    for classes in SIZES {
        for (outer, inner) in [(1, 1), (7, 1), (64, 1), (3, 17), (2, 65), (5000, 1), (0, 1)] {
            let spec = NllLossSpec { outer, classes, inner };
            let mut rng = Rng(14);
            let x = rng.floats(classes * spec.positions());
            let x64 = wide(&x);
            let label = rng.labels(spec.positions(), classes);
            let loss = reference::nll_loss(&x64, &label, spec);
            let mut d_x = vec![0.0; x.len()];
            reference::nll_loss_grad(&mut d_x, 0.7, &label, spec);
            let call =
                Call { outputs: &[1, x.len()], inputs: &[&x, &[0.7]], indices: &label, scratch: 0 };
            call.run(
                |step, y, x, _| {
                    let label = Indices::new(0, label.len());
                    step.nll_loss(y[0], x[0], label, spec);
                    step.nll_loss_grad(y[1], x[1], label, spec);
                },
                |level, got| {
                    let name = format!("{spec:?} {level}");
                    // Summed in f64 and rounded once; 0.7 is rounded too.
                    assert_close(&name, &got[0], &[loss], |_| 2.0 * EPSILON * loss.abs());
                    assert_close(&name, &got[1], &d_x, |i| 3.0 * EPSILON * d_x[i].abs());
                },
            );
            if x.len() > 500 || x.is_empty() {
                continue;
            }
            assert_gradient("nll", &x64, &d_x, |x| 0.7 * reference::nll_loss(x, &label, spec));
        }
    }
}
