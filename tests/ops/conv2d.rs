//! Convolutions.

use gradiron::ops::conv2d::{Conv2d, Conv2dSpec, reference};

use crate::harness::*;

fn specs() -> Vec<Conv2dSpec> {
    let base = Conv2dSpec {
        batch: 2,
        in_channels: 3,
        out_channels: 5,
        height: 9,
        width: 7,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [0, 0],
        dilation: [1, 1],
        groups: 1,
    };
    vec![
        base,
        Conv2dSpec { padding: [1, 1], ..base },
        Conv2dSpec { padding: [2, 1], stride: [2, 3], ..base },
        Conv2dSpec { padding: [3, 4], dilation: [2, 2], ..base },
        Conv2dSpec { stride: [3, 2], dilation: [1, 3], ..base },
        Conv2dSpec { kernel: [1, 1], ..base },
        Conv2dSpec { kernel: [1, 1], stride: [2, 2], padding: [1, 1], ..base },
        Conv2dSpec { kernel: [9, 7], ..base },
        Conv2dSpec { kernel: [9, 7], padding: [4, 3], ..base },
        Conv2dSpec { kernel: [2, 5], padding: [0, 2], width: 23, ..base },
        Conv2dSpec { in_channels: 4, out_channels: 6, groups: 2, padding: [1, 1], ..base },
        Conv2dSpec { in_channels: 6, out_channels: 6, groups: 6, padding: [1, 1], ..base },
        Conv2dSpec { in_channels: 3, out_channels: 9, groups: 3, stride: [2, 2], ..base },
        Conv2dSpec { batch: 1, in_channels: 1, out_channels: 1, ..base },
        Conv2dSpec { batch: 3, in_channels: 17, out_channels: 65, padding: [1, 1], ..base },
        Conv2dSpec { batch: 1, in_channels: 65, out_channels: 17, height: 17, width: 17, ..base },
        Conv2dSpec { batch: 65, in_channels: 2, out_channels: 3, ..base },
        Conv2dSpec { batch: 1, in_channels: 2, out_channels: 3, height: 64, width: 65, ..base },
        // LeNet's layers.
        Conv2dSpec {
            batch: 7,
            in_channels: 1,
            out_channels: 6,
            height: 28,
            width: 28,
            kernel: [5, 5],
            padding: [2, 2],
            ..base
        },
        Conv2dSpec {
            batch: 17,
            in_channels: 6,
            out_channels: 16,
            height: 14,
            width: 14,
            kernel: [5, 5],
            ..base
        },
        // Several strips of rows, strides, and windows of all widths.
        Conv2dSpec { out_channels: 8, height: 65, width: 64, padding: [1, 1], ..base },
        Conv2dSpec { height: 65, width: 65, stride: [2, 2], padding: [1, 1], ..base },
        Conv2dSpec { out_channels: 16, height: 64, width: 17, kernel: [7, 7], ..base },
        Conv2dSpec { out_channels: 17, kernel: [4, 6], padding: [2, 3], width: 17, ..base },
        Conv2dSpec { out_channels: 13, kernel: [4, 4], stride: [2, 1], height: 17, ..base },
        Conv2dSpec { out_channels: 9, kernel: [2, 2], stride: [2, 2], height: 17, ..base },
        Conv2dSpec { in_channels: 1, kernel: [17, 1], height: 19, ..base },
        Conv2dSpec { in_channels: 1, kernel: [1, 17], width: 65, padding: [0, 8], ..base },
        // More weights than one partial gradient holds, and more terms than one block.
        Conv2dSpec {
            batch: 2,
            in_channels: 130,
            out_channels: 300,
            height: 4,
            width: 4,
            padding: [1, 1],
            ..base
        },
        // Nothing to do.
        Conv2dSpec { batch: 0, ..base },
        Conv2dSpec { height: 2, ..base },
        Conv2dSpec { out_channels: 0, ..base },
        Conv2dSpec { in_channels: 0, ..base },
    ]
}

#[test]
fn forward() {
    for spec in specs() {
        let mut rng = Rng(3);
        let (x, w) = (rng.floats(spec.input_len()), rng.floats(spec.weight_len()));
        let (x64, w64) = (wide(&x), wide(&w));
        let (mut want, mut size) = (vec![0.0; spec.output_len()], vec![0.0; spec.output_len()]);
        reference::conv2d(&mut want, &x64, &w64, spec);
        reference::conv2d(&mut size, &abs(&x64), &abs(&w64), spec);
        let terms = spec.weight_len() / spec.out_channels.max(1);
        let call = Call {
            outputs: &[spec.output_len()],
            inputs: &[&x, &w],
            indices: &[],
            scratch: spec.forward_scratch(),
        };
        call.run(
            |step, y, x, scratch| step.conv2d(y[0], x[0], x[1], scratch, spec),
            |level, y| {
                let bound = |i: usize| (terms + 2) as f64 * EPSILON * size[i];
                assert_close(&format!("{spec:?} {level}"), &y[0], &want, bound);
            },
        );
    }
}

#[test]
fn input_gradient() {
    for spec in specs() {
        let mut rng = Rng(4);
        let (d_y, w) = (rng.floats(spec.output_len()), rng.floats(spec.weight_len()));
        let (d_y64, w64) = (wide(&d_y), wide(&w));
        let (mut want, mut size) = (vec![0.0; spec.input_len()], vec![0.0; spec.input_len()]);
        reference::conv2d_input_grad(&mut want, &d_y64, &w64, spec);
        reference::conv2d_input_grad(&mut size, &abs(&d_y64), &abs(&w64), spec);
        let terms = spec.out_channels / spec.groups * spec.kernel[0] * spec.kernel[1];
        let call = Call {
            outputs: &[spec.input_len()],
            inputs: &[&d_y, &w],
            indices: &[],
            scratch: spec.input_grad_scratch(),
        };
        call.run(
            |step, y, x, scratch| step.conv2d_input_grad(y[0], x[0], x[1], scratch, spec),
            |level, y| {
                let bound = |i: usize| (terms + 2) as f64 * EPSILON * size[i];
                assert_close(&format!("{spec:?} {level}"), &y[0], &want, bound);
            },
        );
    }
}

#[test]
fn weight_gradient() {
    for spec in specs() {
        let mut rng = Rng(5);
        let (d_y, x) = (rng.floats(spec.output_len()), rng.floats(spec.input_len()));
        let (d_y64, x64) = (wide(&d_y), wide(&x));
        let (mut want, mut size) = (vec![0.0; spec.weight_len()], vec![0.0; spec.weight_len()]);
        reference::conv2d_weight_grad(&mut want, &d_y64, &x64, spec);
        reference::conv2d_weight_grad(&mut size, &abs(&d_y64), &abs(&x64), spec);
        let terms = spec.batch * spec.out_height() * spec.out_width();
        let call = Call {
            outputs: &[spec.weight_len()],
            inputs: &[&d_y, &x],
            indices: &[],
            scratch: spec.weight_grad_scratch(),
        };
        call.run(
            |step, y, x, scratch| step.conv2d_weight_grad(y[0], x[0], x[1], scratch, spec),
            |level, y| {
                let bound = |i: usize| (terms + 2) as f64 * EPSILON * size[i];
                assert_close(&format!("{spec:?} {level}"), &y[0], &want, bound);
            },
        );
    }
}

#[test]
fn reference_gradients() {
    for spec in specs() {
        if spec.output_len() * spec.weight_len() > 200_000 {
            continue;
        }
        let mut rng = Rng(6);
        let (x, w) = (wide(&rng.floats(spec.input_len())), wide(&rng.floats(spec.weight_len())));
        let d_y = wide(&rng.floats(spec.output_len()));
        let (mut d_x, mut d_w) = (vec![0.0; x.len()], vec![0.0; w.len()]);
        reference::conv2d_input_grad(&mut d_x, &d_y, &w, spec);
        reference::conv2d_weight_grad(&mut d_w, &d_y, &x, spec);
        let loss = |x: &[f64], w: &[f64]| {
            let mut y = vec![0.0; d_y.len()];
            reference::conv2d(&mut y, x, w, spec);
            weighted(&y, &d_y)
        };
        assert_gradient("d_x", &x, &d_x, |x| loss(x, &w));
        assert_gradient("d_w", &w, &d_w, |w| loss(&x, w));
    }
}
