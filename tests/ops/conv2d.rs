//! Convolutions.

use gradiron::device::Cpu;
use gradiron::ops::conv2d::{Algorithm, Conv2d, Conv2dSpec, reference};

use crate::harness::*;

pub fn specs() -> Vec<Conv2dSpec> {
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
        // Tiles of 4×4 outputs: ragged, with every padding, and several blocks of them.
        Conv2dSpec { in_channels: 16, out_channels: 16, padding: [1, 1], ..base },
        Conv2dSpec { in_channels: 16, out_channels: 33, padding: [2, 0], ..base },
        Conv2dSpec { in_channels: 21, out_channels: 16, padding: [0, 2], width: 30, ..base },
        Conv2dSpec {
            batch: 5,
            in_channels: 33,
            out_channels: 40,
            height: 4,
            width: 4,
            padding: [1, 1],
            ..base
        },
        Conv2dSpec {
            batch: 20,
            in_channels: 20,
            out_channels: 48,
            height: 8,
            width: 8,
            padding: [1, 1],
            ..base
        },
        Conv2dSpec {
            batch: 4,
            in_channels: 160,
            out_channels: 16,
            height: 40,
            width: 39,
            padding: [1, 1],
            ..base
        },
        // Few positions with many channels, in several images, and more images than are few.
        Conv2dSpec {
            batch: 3,
            in_channels: 70,
            out_channels: 130,
            height: 8,
            width: 6,
            stride: [2, 2],
            padding: [1, 1],
            ..base
        },
        Conv2dSpec { batch: 3, in_channels: 300, out_channels: 20, kernel: [1, 1], ..base },
        Conv2dSpec { batch: 9, in_channels: 40, out_channels: 17, padding: [1, 1], ..base },
        Conv2dSpec {
            batch: 1,
            in_channels: 33,
            out_channels: 70,
            height: 17,
            width: 17,
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

/// The error of Winograd's algorithm on numbers of at most 1: `n` sums of tiles and transforms, the
/// latter with absolute sums of `norms` at this row and column. A sum of `n` terms is off by
/// `λ·sqrt(n)·ε` times the absolute sum, but for a probability that falls with `λ` (N. Higham,
/// T. Mary, A new approach to probabilistic rounding error analysis, 2019, with `λ = 4`).
/// A transform adds up to 6 operations on each of its axes, and there are three.
fn winograd_bound(terms: usize, [row, col]: [f64; 2]) -> f64 {
    4.0 * ((terms + 36) as f64).sqrt() * EPSILON * terms as f64 * row * col
}

/// `|Aᵀ| (|G| 1 ⊙ |Bᵀ| 1)` for each row of a tile of outputs.
const OUTPUT_NORMS: [f64; 4] = [16.0, 17.0, 24.0, 48.0];
/// `|Gᵀ| (|A| 1 ⊙ |Bᵀ| 1)` for each row of a window.
const WEIGHT_NORMS: [f64; 3] = [70.0 / 3.0, 85.0 / 3.0, 160.0 / 3.0];

/// The bound for element `i` of planes of this width and length.
pub fn plane_bound(terms: usize, plane: usize, width: usize, i: usize) -> f64 {
    let (row, col) = (i % plane / width % 4, i % width % 4);
    winograd_bound(terms, [OUTPUT_NORMS[row], OUTPUT_NORMS[col]])
}

/// The bound for element `i` of the weights' gradient.
fn weight_bound(spec: Conv2dSpec, i: usize) -> f64 {
    let tiles = spec.batch * spec.out_height().div_ceil(4) * spec.out_width().div_ceil(4);
    winograd_bound(tiles, [WEIGHT_NORMS[i % 9 / 3], WEIGHT_NORMS[i % 3]])
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
                let plain = |i: usize| (terms + 2) as f64 * EPSILON * size[i];
                let bound = |i: usize| match spec.forward_algorithm() {
                    Algorithm::Winograd => plane_bound(
                        spec.in_channels,
                        spec.out_height() * spec.out_width(),
                        spec.out_width(),
                        i,
                    ),
                    _ => plain(i),
                };
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
                let plain = |i: usize| (terms + 2) as f64 * EPSILON * size[i];
                let bound = |i: usize| match spec.input_grad_algorithm() {
                    Algorithm::Winograd => {
                        plane_bound(spec.out_channels, spec.height * spec.width, spec.width, i)
                    }
                    _ => plain(i),
                };
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
                let plain = |i: usize| (terms + 2) as f64 * EPSILON * size[i];
                let bound = |i: usize| match spec.weight_grad_algorithm() {
                    Algorithm::Winograd => weight_bound(spec, i),
                    _ => plain(i),
                };
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

/// The root of the mean square error, relative to that of the values.
fn relative_error(got: &[f32], want: &[f64]) -> f64 {
    let square = |x: f64| x * x;
    let error: f64 = got.iter().zip(want).map(|(&y, &want)| square(f64::from(y) - want)).sum();
    (error / want.iter().map(|&x| square(x)).sum::<f64>()).sqrt()
}

/// What the docs of `Algorithm::Winograd` say of its accuracy, and that it can be turned off.
#[test]
fn winograd_is_accurate_and_optional() {
    let spec = Conv2dSpec {
        batch: 2,
        in_channels: 64,
        out_channels: 64,
        height: 16,
        width: 16,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1, 1],
        dilation: [1, 1],
        groups: 1,
    };
    assert_eq!(spec.forward_algorithm(), Algorithm::Winograd);
    let mut rng = Rng(7);
    let (x, w) = (rng.floats(spec.input_len()), rng.floats(spec.weight_len()));
    let d_y = rng.floats(spec.output_len());
    let (mut y64, mut d_x64) = (vec![0.0; spec.output_len()], vec![0.0; spec.input_len()]);
    let mut d_w64 = vec![0.0; spec.weight_len()];
    reference::conv2d(&mut y64, &wide(&x), &wide(&w), spec);
    reference::conv2d_input_grad(&mut d_x64, &wide(&d_y), &wide(&w), spec);
    reference::conv2d_weight_grad(&mut d_w64, &wide(&d_y), &wide(&x), spec);
    let scratch = spec.forward_scratch();
    let scratch = scratch.max(spec.input_grad_scratch()).max(spec.weight_grad_scratch());
    let call = Call {
        outputs: &[spec.output_len(), spec.input_len(), spec.weight_len()],
        inputs: &[&x, &w, &d_y],
        indices: &[],
        scratch,
    };
    let errors = |cpu: &Cpu| {
        let results = call.run_on(cpu, &|step, out, x, scratch| {
            step.conv2d(out[0], x[0], x[1], scratch, spec);
            step.conv2d_input_grad(out[1], x[2], x[1], scratch, spec);
            step.conv2d_weight_grad(out[2], x[2], x[0], scratch, spec);
        });
        [&y64, &d_x64, &d_w64]
            .map(|want| want.as_slice())
            .into_iter()
            .zip(&results)
            .map(|(want, got)| relative_error(got, want))
            .fold(0.0, f64::max)
    };
    let cpu = Cpu::with_threads(2);
    let (winograd, plain) = (errors(&cpu), errors(&cpu.clone().with_winograd(false)));
    println!("relative errors: {winograd:e}, plain {plain:e}");
    assert!(winograd < 3e-6, "{winograd:e}");
    assert!(plain < 5e-7, "{plain:e}");
}
