//! Convolutions.

use gradiron::device::Cpu;
use gradiron::ops::conv2d::{Algorithm, Conv2d, Conv2dSpec, Pass, reference};

use crate::any::convolve_by;
use crate::harness::*;

pub const PASSES: [Pass; 3] = [Pass::Forward, Pass::InputGrad, Pass::WeightGrad];
const ALGORITHMS: [Algorithm; 3] = [Algorithm::Direct, Algorithm::Winograd, Algorithm::Windows];

pub fn specs() -> Vec<Conv2dSpec> {
    let new = Conv2dSpec::new;
    let base = new(2, [3, 5], [9, 7], [3, 3]);
    let same = |spec: Conv2dSpec| Conv2dSpec { padding: spec.kernel.map(|k| k / 2), ..spec };
    vec![
        base,
        same(base),
        Conv2dSpec { padding: [2, 1], stride: [2, 3], ..base },
        Conv2dSpec { padding: [3, 4], dilation: [2, 2], ..base },
        Conv2dSpec { stride: [3, 2], dilation: [1, 3], ..base },
        Conv2dSpec { kernel: [1, 1], ..base },
        Conv2dSpec { kernel: [1, 1], stride: [2, 2], padding: [1, 1], ..base },
        Conv2dSpec { kernel: [9, 7], ..base },
        same(Conv2dSpec { kernel: [9, 7], ..base }),
        Conv2dSpec { kernel: [2, 5], padding: [0, 2], width: 23, ..base },
        same(Conv2dSpec { in_channels: 4, out_channels: 6, groups: 2, ..base }),
        same(Conv2dSpec { in_channels: 6, out_channels: 6, groups: 6, ..base }),
        Conv2dSpec { in_channels: 3, out_channels: 9, groups: 3, stride: [2, 2], ..base },
        new(1, [1, 1], [9, 7], [3, 3]),
        same(new(3, [17, 65], [9, 7], [3, 3])),
        new(1, [65, 17], [17, 17], [3, 3]),
        new(65, [2, 3], [9, 7], [3, 3]),
        new(1, [2, 3], [64, 65], [3, 3]),
        // LeNet's layers.
        same(new(7, [1, 6], [28, 28], [5, 5])),
        new(17, [6, 16], [14, 14], [5, 5]),
        // Several strips of rows, strides, and windows of all widths.
        same(new(2, [3, 8], [65, 64], [3, 3])),
        same(Conv2dSpec { stride: [2, 2], ..new(2, [3, 5], [65, 65], [3, 3]) }),
        new(2, [3, 16], [64, 17], [7, 7]),
        same(new(2, [3, 17], [9, 17], [4, 6])),
        Conv2dSpec { stride: [2, 1], ..new(2, [3, 13], [17, 7], [4, 4]) },
        Conv2dSpec { stride: [2, 2], ..new(2, [3, 9], [17, 7], [2, 2]) },
        new(2, [1, 5], [19, 7], [17, 1]),
        same(new(2, [1, 5], [9, 65], [1, 17])),
        // More weights than one partial gradient holds, and more terms than one block.
        same(new(2, [130, 300], [4, 4], [3, 3])),
        // Tiles of 4×4 outputs: ragged, with every padding, and several blocks of them.
        same(new(2, [16, 16], [9, 7], [3, 3])),
        Conv2dSpec { padding: [2, 0], ..new(2, [16, 33], [9, 7], [3, 3]) },
        Conv2dSpec { padding: [0, 2], ..new(2, [21, 16], [9, 30], [3, 3]) },
        same(new(5, [33, 40], [4, 4], [3, 3])),
        same(new(20, [20, 48], [8, 8], [3, 3])),
        same(new(4, [160, 16], [40, 39], [3, 3])),
        // Few positions with many channels, in several images, and more images than are few.
        Conv2dSpec { stride: [2, 2], ..same(new(3, [70, 130], [8, 6], [3, 3])) },
        new(3, [300, 20], [9, 7], [1, 1]),
        same(new(9, [40, 17], [9, 7], [3, 3])),
        same(new(1, [33, 70], [17, 17], [3, 3])),
        // Strides that leave elements out or share a factor with the dilation, all paddings, odd
        // sizes, several images in a tile.
        Conv2dSpec { stride: [3, 3], ..new(3, [20, 18], [11, 9], [2, 1]) },
        Conv2dSpec { stride: [2, 2], padding: [2, 2], ..new(2, [17, 19], [9, 8], [3, 3]) },
        Conv2dSpec { stride: [3, 2], padding: [1, 2], ..new(2, [18, 33], [10, 13], [5, 5]) },
        Conv2dSpec { stride: [2, 3], padding: [2, 0], ..new(3, [16, 20], [9, 11], [1, 2]) },
        Conv2dSpec { stride: [4, 2], dilation: [2, 3], ..new(2, [5, 18], [13, 12], [3, 3]) },
        Conv2dSpec { stride: [2, 2], groups: 3, ..same(new(5, [51, 54], [7, 6], [3, 3])) },
        Conv2dSpec { stride: [2, 2], padding: [1, 0], ..new(1, [2, 3], [1, 2], [2, 2]) },
        // Many tiles of windows with many terms.
        Conv2dSpec { stride: [2, 2], ..same(new(4, [64, 128], [32, 31], [3, 3])) },
        // Nothing to do.
        Conv2dSpec { batch: 0, ..base },
        Conv2dSpec { height: 2, ..base },
        Conv2dSpec { out_channels: 0, ..base },
        Conv2dSpec { in_channels: 0, ..base },
    ]
}

/// A pass in `f64`.
pub fn reference(pass: Pass, out: &mut [f64], [a, b]: [&[f64]; 2], spec: Conv2dSpec) {
    match pass {
        Pass::Forward => reference::conv2d(out, a, b, spec),
        Pass::InputGrad => reference::conv2d_input_grad(out, a, b, spec),
        Pass::WeightGrad => reference::conv2d_weight_grad(out, a, b, spec),
    }
}

/// The floats of the result and of the operands.
pub fn lens(pass: Pass, spec: Conv2dSpec) -> [usize; 3] {
    let (x, y, w) = (spec.input_len(), spec.output_len(), spec.weight_len());
    match pass {
        Pass::Forward => [y, x, w],
        Pass::InputGrad => [x, y, w],
        Pass::WeightGrad => [w, y, x],
    }
}

/// The most terms of a sum.
pub fn terms(pass: Pass, spec: Conv2dSpec) -> usize {
    let Conv2dSpec { in_channels, out_channels, kernel, groups, .. } = spec;
    match pass {
        Pass::Forward => in_channels / groups * kernel[0] * kernel[1],
        Pass::InputGrad => out_channels / groups * kernel[0] * kernel[1],
        Pass::WeightGrad => spec.batch * spec.out_height() * spec.out_width(),
    }
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

/// The bound of Winograd's algorithm for element `i` of a pass.
pub fn bound(pass: Pass, spec: Conv2dSpec, i: usize) -> f64 {
    let in_plane = |channels: usize, height: usize, width: usize| {
        let (row, col) = (i % (height * width) / width % 4, i % width % 4);
        winograd_bound(channels, [OUTPUT_NORMS[row], OUTPUT_NORMS[col]])
    };
    match pass {
        Pass::Forward => in_plane(spec.in_channels, spec.out_height(), spec.out_width()),
        Pass::InputGrad => in_plane(spec.out_channels, spec.height, spec.width),
        Pass::WeightGrad => {
            let tiles = spec.batch * spec.out_height().div_ceil(4) * spec.out_width().div_ceil(4);
            winograd_bound(tiles, [WEIGHT_NORMS[i % 9 / 3], WEIGHT_NORMS[i % 3]])
        }
    }
}

/// Every algorithm where it fits, whether it would be chosen or not.
fn check(pass: Pass) {
    for spec in specs() {
        let mut rng = Rng(3);
        let lens = lens(pass, spec);
        let [a, b] = [lens[1], lens[2]].map(|len| rng.floats(len));
        let (a64, b64) = (wide(&a), wide(&b));
        let (mut want, mut size) = (vec![0.0; lens[0]], vec![0.0; lens[0]]);
        reference(pass, &mut want, [&a64, &b64], spec);
        reference(pass, &mut size, [&abs(&a64), &abs(&b64)], spec);
        for algorithm in ALGORITHMS.into_iter().filter(|&algorithm| spec.fits(pass, algorithm)) {
            let scratch = spec.scratch_of(pass, algorithm);
            Call { outputs: &[lens[0]], inputs: &[&a, &b], indices: &[], scratch }.run(
                |step, y, x, scratch| {
                    convolve_by(step, algorithm);
                    step.conv2d(pass, y[0], [x[0], x[1]], scratch, spec);
                },
                |level, y| {
                    let name = format!("{pass:?} {algorithm:?} {spec:?} {level}");
                    assert_close(&name, &y[0], &want, |i| match algorithm {
                        Algorithm::Winograd => bound(pass, spec, i),
                        _ => (terms(pass, spec) + 2) as f64 * EPSILON * size[i],
                    });
                },
            );
        }
        // The one that is chosen, with the scratch memory of a plan.
        let (algorithm, scratch) = (spec.algorithm(pass), spec.scratch(pass));
        Call { outputs: &[lens[0]; 2], inputs: &[&a, &b], indices: &[], scratch }.run(
            |step, y, x, scratch| {
                step.conv2d(pass, y[0], [x[0], x[1]], scratch, spec);
                convolve_by(step, algorithm);
                step.conv2d(pass, y[1], [x[0], x[1]], scratch, spec);
            },
            |level, y| assert!(same(&y[0], &y[1]), "{pass:?} {spec:?} {level}"),
        );
    }
}

#[test]
fn forward() {
    check(Pass::Forward);
}

#[test]
fn input_gradient() {
    check(Pass::InputGrad);
}

#[test]
fn weight_gradient() {
    check(Pass::WeightGrad);
}

#[test]
fn reference_gradients() {
    for spec in specs() {
        if spec.output_len().saturating_mul(spec.weight_len()) > 200_000 {
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
    let spec = Conv2dSpec { padding: [1, 1], ..Conv2dSpec::new(2, [64, 64], [16, 16], [3, 3]) };
    assert!(PASSES.iter().all(|&pass| spec.algorithm(pass) == Algorithm::Winograd));
    let mut rng = Rng(7);
    let (x, w) = (rng.floats(spec.input_len()), rng.floats(spec.weight_len()));
    let d_y = rng.floats(spec.output_len());
    let operands = [[0, 1], [2, 1], [2, 0]];
    let inputs = [&x[..], &w, &d_y];
    let lens = PASSES.map(|pass| lens(pass, spec)[0]);
    let want = [0, 1, 2].map(|i| {
        let mut want = vec![0.0; lens[i]];
        let [a, b] = operands[i].map(|j| wide(inputs[j]));
        reference(PASSES[i], &mut want, [&a, &b], spec);
        want
    });
    let scratch = PASSES.map(|pass| spec.scratch(pass)).into_iter().max().unwrap_or(0);
    let call = Call { outputs: &lens, inputs: &inputs, indices: &[], scratch };
    let errors = |cpu: &Cpu| {
        let results = call.run_on(cpu, &|step, out, x, scratch| {
            for i in 0..3 {
                step.conv2d(PASSES[i], out[i], operands[i].map(|j| x[j]), scratch, spec);
            }
        });
        let errors = want.iter().zip(&results).map(|(want, got)| relative_error(got, want));
        errors.fold(0.0, f64::max)
    };
    let cpu = Cpu::with_threads(2);
    let (winograd, plain) = (errors(&cpu), errors(&cpu.clone().with_winograd(false)));
    println!("relative errors: {winograd:e}, plain {plain:e}");
    assert!(winograd < 3e-6, "{winograd:e}");
    assert!(plain < 5e-7, "{plain:e}");
}
