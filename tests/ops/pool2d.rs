//! Pooling.

use gradiron::ops::pool2d::{Pool2d, Pool2dSpec, meeting, reference};

use crate::harness::*;

fn nowhere(base: Pool2dSpec) -> Pool2dSpec {
    Pool2dSpec { stride: [1, 1], padding: [1, 1], dilation: [3, 3], ..base }
}

fn specs(dilated: bool) -> Vec<Pool2dSpec> {
    let base = Pool2dSpec {
        planes: 3,
        height: 9,
        width: 7,
        kernel: [2, 2],
        stride: [2, 2],
        padding: [0, 0],
        dilation: [1, 1],
    };
    let mut specs = vec![
        base,
        Pool2dSpec { planes: 65, height: 28, width: 28, ..base },
        Pool2dSpec { planes: 64, height: 17, width: 65, ..base },
        Pool2dSpec { kernel: [3, 3], padding: [1, 1], ..base },
        Pool2dSpec { kernel: [3, 2], stride: [1, 3], padding: [1, 0], ..base },
        Pool2dSpec { kernel: [1, 1], stride: [1, 1], ..base },
        Pool2dSpec { kernel: [9, 7], stride: [1, 1], ..base },
        Pool2dSpec { height: 1, width: 2, kernel: [1, 2], ..base },
        Pool2dSpec { planes: 0, ..base },
        Pool2dSpec { height: 1, ..base },
        Pool2dSpec { planes: 40, height: 64, width: 64, kernel: [3, 3], stride: [1, 1], ..base },
    ];
    if dilated {
        specs.push(Pool2dSpec { dilation: [2, 3], ..base });
        specs.push(Pool2dSpec { kernel: [4, 4], padding: [2, 2], dilation: [3, 2], ..base });
        specs.push(Pool2dSpec { kernel: [5, 3], padding: [2, 1], dilation: [1, 2], ..base });
        // Windows that meet no element.
        specs.push(Pool2dSpec { height: 2, width: 2, ..nowhere(base) });
        specs.push(Pool2dSpec { height: 2, width: 9, ..nowhere(base) });
        specs.push(Pool2dSpec { kernel: [2, 1], padding: [4, 3], ..base });
    }
    specs
}

/// Numbers with many ties, and some NaN and infinities.
fn awkward(rng: &mut Rng, len: usize) -> Vec<f32> {
    let value = |rng: &mut Rng| match rng.below(40) {
        0 => f32::NAN,
        1 => f32::INFINITY,
        2..8 => f32::NEG_INFINITY,
        n => (n % 5) as f32,
    };
    (0..len).map(|_| value(rng)).collect()
}

#[test]
fn maximum() {
    for spec in specs(true) {
        let mut rng = Rng(7);
        for x in [rng.floats(spec.input_len()), awkward(&mut rng, spec.input_len())] {
            let outputs = spec.output_len();
            let (mut want, mut places) = (vec![0.0; outputs], vec![0; outputs]);
            reference::max_pool2d(&mut want, &mut places, &wide(&x), spec);
            let call = Call {
                outputs: &[outputs, outputs, outputs],
                inputs: &[&x],
                indices: &[],
                scratch: 0,
            };
            call.run(
                |step, y, x, _| {
                    step.max_pool2d(y[0], Some(y[1]), x[0], spec);
                    step.max_pool2d(y[2], None, x[0], spec);
                },
                |level, y| {
                    let name = format!("{spec:?} {level}");
                    assert_close(&name, &y[0], &want, |_| 0.0);
                    assert_close(&name, &y[2], &want, |_| 0.0);
                    let index: Vec<u32> = y[1].iter().map(|i| i.to_bits()).collect();
                    assert_eq!(index, places, "{name}");
                },
            );
        }
    }
}

#[test]
fn maximum_gradient() {
    for spec in specs(true) {
        let mut rng = Rng(8);
        let (x, d_y) = (rng.floats(spec.input_len()), rng.floats(spec.output_len()));
        let (x64, d_y64) = (wide(&x), wide(&d_y));
        let (mut y, mut places) = (vec![0.0; d_y.len()], vec![0; d_y.len()]);
        reference::max_pool2d(&mut y, &mut places, &x64, spec);
        let (mut want, mut size) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        reference::max_pool2d_grad(&mut want, &d_y64, &places, spec);
        reference::max_pool2d_grad(&mut size, &abs(&d_y64), &places, spec);
        let index: Vec<f32> = places.iter().map(|&i| f32::from_bits(i)).collect();
        let call = Call { outputs: &[x.len()], inputs: &[&d_y, &index], indices: &[], scratch: 0 };
        let windows = (spec.kernel[0] * spec.kernel[1]) as f64;
        call.run(
            |step, y, x, _| step.max_pool2d_grad(y[0], x[0], x[1], spec),
            |level, d_x| {
                let bound = |i: usize| windows * EPSILON * size[i];
                assert_close(&format!("{spec:?} {level}"), &d_x[0], &want, bound);
            },
        );
        assert_gradient("max", &x64, &want, |x| {
            let (mut y, mut places) = (vec![0.0; d_y.len()], vec![0; d_y.len()]);
            reference::max_pool2d(&mut y, &mut places, x, spec);
            // Maxima of no element depend on nothing.
            y.iter_mut().filter(|y| y.is_infinite()).for_each(|y| *y = 0.0);
            weighted(&y, &d_y64)
        });
    }
}

#[test]
fn average() {
    for spec in specs(false) {
        let mut rng = Rng(9);
        let (x, d_y) = (rng.floats(spec.input_len()), rng.floats(spec.output_len()));
        let (x64, d_y64) = (wide(&x), wide(&d_y));
        let (mut y, mut y_size) = (vec![0.0; d_y.len()], vec![0.0; d_y.len()]);
        reference::avg_pool2d(&mut y, &x64, spec);
        reference::avg_pool2d(&mut y_size, &abs(&x64), spec);
        let (mut d_x, mut d_x_size) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        reference::avg_pool2d_grad(&mut d_x, &d_y64, spec);
        reference::avg_pool2d_grad(&mut d_x_size, &abs(&d_y64), spec);
        let call =
            Call { outputs: &[y.len(), x.len()], inputs: &[&x, &d_y], indices: &[], scratch: 0 };
        let terms = (spec.kernel[0] * spec.kernel[1] + 2) as f64;
        call.run(
            |step, y, x, _| {
                step.avg_pool2d(y[0], x[0], spec);
                step.avg_pool2d_grad(y[1], x[1], spec);
            },
            |level, got| {
                let name = format!("{spec:?} {level}");
                assert_close(&name, &got[0], &y, |i| terms * EPSILON * y_size[i]);
                assert_close(&name, &got[1], &d_x, |i| terms * EPSILON * d_x_size[i]);
            },
        );
        assert_gradient("average", &x64, &d_x, |x| {
            let mut y = vec![0.0; d_y.len()];
            reference::avg_pool2d(&mut y, x, spec);
            weighted(&y, &d_y64)
        });
    }
}

/// Windows are counted as the reference walks them.
#[test]
fn windows_that_meet_an_element() {
    let mut rng = Rng(10);
    for _ in 0..3000 {
        let mut pick = |from: usize, below: usize| from + rng.below(below - from);
        let [size, kernel, stride, padding, dilation] =
            [pick(1, 9), pick(1, 5), pick(1, 4), pick(0, 5), pick(1, 6)];
        let spec = Pool2dSpec {
            planes: 1,
            height: size,
            width: 1,
            kernel: [kernel, 1],
            stride: [stride, 1],
            padding: [padding, 0],
            dilation: [dilation, 1],
        };
        let (mut y, mut places) = (vec![0.0; spec.output_len()], vec![0; spec.output_len()]);
        reference::max_pool2d(&mut y, &mut places, &vec![1.0; size], spec);
        let met = places.iter().filter(|place| **place != u32::MAX).count();
        assert_eq!(meeting(size, kernel, stride, padding, dilation), met, "{spec:?}");
        assert_eq!(y.iter().filter(|y| **y == f64::NEG_INFINITY).count(), y.len() - met);
    }
}
