//! Softmax.

use gradiron::device::Buf;
use gradiron::ops::softmax::{Softmax, SoftmaxSpec, reference};

use crate::any::AnyKernels;
use crate::harness::*;

fn specs() -> Vec<SoftmaxSpec> {
    let mut specs = vec![
        SoftmaxSpec { outer: 0, size: 3, inner: 1 },
        SoftmaxSpec { outer: 2, size: 3, inner: 0 },
        SoftmaxSpec { outer: 64, size: 1000, inner: 1 },
        SoftmaxSpec { outer: 3, size: 10_000, inner: 1 },
        SoftmaxSpec { outer: 3, size: 4096, inner: 1 },
        SoftmaxSpec { outer: 3, size: 20_000, inner: 1 },
        SoftmaxSpec { outer: 2, size: 16_401, inner: 1 },
        SoftmaxSpec { outer: 5, size: 17, inner: 130 },
    ];
    for size in SIZES {
        for (outer, inner) in [(1, 1), (17, 1), (3, 7), (2, 65), (64, 64)] {
            specs.push(SoftmaxSpec { outer, size, inner });
        }
    }
    specs
}

#[test]
fn forward() {
    for spec in specs() {
        let mut rng = Rng(11);
        let x: Vec<f32> = rng.floats(spec.elements()).iter().map(|x| x * 20.0).collect();
        let (mut y, mut log_y) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        reference::softmax(&mut y, &wide(&x), spec);
        reference::log_softmax(&mut log_y, &wide(&x), spec);
        let call = Call { outputs: &[x.len(), x.len()], inputs: &[&x], indices: &[], scratch: 0 };
        // `x − m` is off by ε·|x − m| <= 40·ε, which the exponential makes a relative error; then
        // two exponentials (3 each), a sum of `size` terms, a quotient and a product.
        let terms = (40 + 40 + 6 + spec.size + 3) as f64;
        let kernel = |step: &mut AnyKernels<'_>, y: &[Buf], x: &[Buf], _: Buf| {
            step.softmax(y[0], x[0], spec);
            step.log_softmax(y[1], x[0], spec);
        };
        call.run_halves([&[0, 1], &[0]], 1e-5, kernel);
        call.run(kernel, |level, got| {
            let name = format!("{spec:?} {level}");
            assert_close(&name, &got[0], &y, |i| terms * EPSILON * y[i]);
            // The logarithm makes a relative error of the sum an absolute one.
            let bound = |i: usize| (terms + 4.0 * log_y[i].abs() + 60.0) * EPSILON;
            assert_close(&name, &got[1], &log_y, bound);
        });
    }
}

#[test]
fn backward() {
    for spec in specs() {
        let mut rng = Rng(12);
        let x = wide(&rng.floats(spec.elements()));
        let d_y = rng.floats(x.len());
        let d_y64 = wide(&d_y);
        let (mut y, mut log_y) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        reference::softmax(&mut y, &x, spec);
        reference::log_softmax(&mut log_y, &x, spec);
        let narrow = |x: &[f64]| x.iter().map(|&x| x as f32).collect::<Vec<_>>();
        let (y32, log_y32) = (narrow(&y), narrow(&log_y));
        let (mut d_x, mut d_x_log) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        reference::softmax_grad(&mut d_x, &d_y64, &y, spec);
        reference::log_softmax_grad(&mut d_x_log, &d_y64, &log_y, spec);
        let call = Call {
            outputs: &[x.len(), x.len()],
            inputs: &[&d_y, &y32, &log_y32],
            indices: &[],
            scratch: 0,
        };
        let n = spec.size as f64;
        let kernel = |step: &mut AnyKernels<'_>, d_x: &[Buf], x: &[Buf], _: Buf| {
            step.softmax_grad(d_x[0], x[0], x[1], spec);
            step.log_softmax_grad(d_x[1], x[0], x[2], spec);
        };
        call.run_halves([&[0, 1], &[0, 1, 2]], 1e-5, kernel);
        call.run(kernel, |level, got| {
            let name = format!("{spec:?} {level}");
            // |d_y| <= 1, so that the sums of products are at most 1 and `size`.
            assert_close(&name, &got[0], &d_x, |i| (n + 6.0) * 2.0 * EPSILON * y[i]);
            let bound = |i: usize| (2.0 + (n + 6.0 + log_y[i].abs()) * n * y[i]) * EPSILON;
            assert_close(&name, &got[1], &d_x_log, bound);
        });
        if x.len() > 500 {
            continue;
        }
        let loss = |x: &[f64], f: fn(&mut [f64], &[f64], SoftmaxSpec)| {
            let mut y = vec![0.0; x.len()];
            f(&mut y, x, spec);
            weighted(&y, &d_y64)
        };
        assert_gradient("softmax", &x, &d_x, |x| loss(x, reference::softmax));
        assert_gradient("log_softmax", &x, &d_x_log, |x| loss(x, reference::log_softmax));
    }
}

#[test]
fn large_inputs_do_not_overflow() {
    let x = [1000.0, 1000.0, -1000.0, f32::NEG_INFINITY];
    let spec = SoftmaxSpec { outer: 1, size: 4, inner: 1 };
    let call = Call { outputs: &[4], inputs: &[&x], indices: &[], scratch: 0 };
    call.run(
        |step, y, x, _| step.softmax(y[0], x[0], spec),
        |_, y| assert_eq!(y[0], [0.5, 0.5, 0.0, 0.0]),
    );
}
