//! Convolutions whose factors are rounded, and of values of 16 bits.

use gradiron::device::{Buf, Precision};
use gradiron::ops::conv2d::{Algorithm, Conv2d, Conv2dSpec};
#[cfg(feature = "cuda")]
use gradiron::ops::{conv2d::Pass, fill::Fill};

use crate::any::{AnyKernels, convolve_by};
use crate::conv2d::{PASSES, lens, reference, terms};
use crate::harness::*;

/// Sizes for tensor cores: full and ragged tiles of all sizes, both orders of the inner axis, and
/// planes that are read element by element or several at once.
fn specs_of_products() -> Vec<Conv2dSpec> {
    let new = Conv2dSpec::new;
    let same = |spec: Conv2dSpec| Conv2dSpec { padding: spec.kernel.map(|k| k / 2), ..spec };
    let strided = |stride: usize, spec: Conv2dSpec| Conv2dSpec { stride: [stride; 2], ..spec };
    vec![
        same(new(2, [40, 36], [9, 11], [3, 3])),
        strided(2, same(new(2, [40, 36], [9, 11], [3, 3]))),
        same(new(2, [3, 64], [9, 11], [3, 3])),
        strided(2, same(new(2, [3, 64], [9, 11], [7, 7]))),
        Conv2dSpec { stride: [2, 3], dilation: [2, 3], ..same(new(2, [50, 60], [13, 12], [3, 3])) },
        Conv2dSpec { padding: [2, 0], dilation: [3, 1], ..new(1, [64, 33], [9, 8], [2, 3]) },
        Conv2dSpec { groups: 2, ..same(new(2, [72, 130], [7, 6], [3, 3])) },
        // Single elements.
        new(3, [33, 70], [9, 7], [1, 1]),
        new(2, [48, 66], [8, 8], [1, 1]),
        new(2, [32, 40], [6, 7], [1, 1]),
        Conv2dSpec { groups: 2, ..new(5, [64, 64], [2, 2], [1, 1]) },
        Conv2dSpec { padding: [1, 1], ..new(2, [34, 32], [6, 6], [1, 1]) },
        strided(2, new(2, [40, 40], [9, 10], [1, 1])),
        // Large tiles.
        new(19, [32, 128], [21, 22], [1, 1]),
        new(19, [128, 32], [21, 22], [1, 1]),
        same(new(2, [128, 128], [5, 4], [3, 3])),
        same(new(3, [28, 128], [5, 4], [3, 3])),
    ]
}

/// By how much a result of floats is off, relative to it, where values of 16 bits are off by `u`:
/// cuDNN gives results the type of the factors.
fn of_result(u: f64) -> f64 {
    if cfg!(feature = "cudnn") { u } else { 0.0 }
}

/// Where a device rounds factors by `u` at most, relative to them, a sum is off by twice that of
/// its terms' magnitudes, and as without; its result may be off by `of_result`. Factors below the
/// normal range are off by `least` at most, and meet others of at most 1.
fn check_factors(
    [u, of_result]: [f64; 2],
    least: f64,
    run: impl Fn(
        &Call<'_>,
        &dyn Fn(&mut AnyKernels<'_>, &[Buf], &[Buf], Buf),
        &dyn Fn(&str, &[Vec<f32>]),
    ),
) {
    for pass in PASSES {
        for spec in specs_of_products() {
            let mut rng = Rng(5);
            let lens = lens(pass, spec);
            let [a, b] = [lens[1], lens[2]].map(|len| rng.floats(len));
            let (a64, b64) = (wide(&a), wide(&b));
            let (mut want, mut size) = (vec![0.0; lens[0]], vec![0.0; lens[0]]);
            reference(pass, &mut want, [&a64, &b64], spec);
            reference(pass, &mut size, [&abs(&a64), &abs(&b64)], spec);
            let scratch = spec.scratch_of(pass, Algorithm::Windows);
            let terms = terms(pass, spec) as f64;
            let relative = 2.0 * u + u * u + (terms + 2.0) * EPSILON;
            run(
                &Call { outputs: &[lens[0]], inputs: &[&a, &b], indices: &[], scratch },
                &|step, y, x, scratch| {
                    convolve_by(step, Algorithm::Windows);
                    step.conv2d(pass, y[0], [x[0], x[1]], scratch, spec);
                },
                &|level, y| {
                    let name = format!("{pass:?} {spec:?} {level}");
                    let bound = |i: usize| {
                        relative * size[i] + of_result * want[i].abs() + 2.0 * least * terms
                    };
                    assert_close(&name, &y[0], &want, bound);
                },
            );
        }
    }
}

/// bf16 keeps 7 bits behind the first: errors of at most 2⁻⁸, of which a sum of many terms, some
/// rounded up and some down, has not half.
#[test]
fn factors_of_bf16() {
    check_factors([1.0 / 512.0, of_result(1.0 / 256.0)], 0.0, |call, kernel, check| {
        call.run_in(Precision::Bf16, kernel, check);
    });
}

/// f16 keeps 10 bits behind the first, and numbers below 2⁻¹⁴ to 2⁻²⁵.
#[cfg(feature = "cuda")]
#[test]
fn factors_of_f16() {
    check_factors(
        [1.0 / 2048.0, of_result(1.0 / 2048.0)],
        1.0 / 33_554_432.0,
        |call, kernel, check| {
            crate::cuda::run(call, Precision::F16, &kernel, &check);
        },
    );
}

/// TF32 keeps 10 bits behind the first.
#[cfg(feature = "cuda")]
#[test]
fn factors_of_tf32() {
    check_factors([1.0 / 2048.0, 0.0], 0.0, |call, kernel, check| {
        crate::cuda::run_on(call, |gpu| gpu.with_tf32(true), &kernel, &check);
    });
}

/// Convolutions of values of 16 bits that are exact in both formats: with floats for weights or
/// without, a sum is off as that of floats, and a result of 16 bits by its rounding.
#[cfg(feature = "cuda")]
fn check_values(precision: Precision, u: f64, weights_are_halves: bool) {
    let plain = Conv2dSpec::new(2, [6, 8], [9, 8], [3, 3]);
    let grouped = Conv2dSpec { groups: 2, stride: [1, 2], padding: [1, 1], ..plain };
    let specs = specs_of_products().into_iter().chain([plain, grouped]);
    for (pass, spec) in specs.flat_map(|spec| PASSES.map(|pass| (pass, spec))) {
        let mut rng = Rng(9);
        let lens = lens(pass, spec);
        let [a, b] = [lens[1], lens[2]]
            .map(|len| (0..len).map(|_| rng.below(257) as f32 / 128.0 - 1.0).collect::<Vec<_>>());
        let (a64, b64) = (wide(&a), wide(&b));
        let (mut want, mut size) = (vec![0.0; lens[0]], vec![0.0; lens[0]]);
        reference(pass, &mut want, [&a64, &b64], spec);
        reference(pass, &mut size, [&abs(&a64), &abs(&b64)], spec);
        let is_weight = pass == Pass::WeightGrad;
        let are_halves = [!is_weight, true, is_weight || weights_are_halves];
        let scratch = lens.map(|len| len + 64).iter().sum();
        crate::cuda::run(
            &Call { outputs: &[lens[0]], inputs: &[&a, &b], indices: &[], scratch },
            precision,
            &|step, y, x, scratch| {
                let mut end = scratch.start;
                let [y_half, a_half, b_half] = [0, 1, 2].map(|i| {
                    let start = end.next_multiple_of(8);
                    end = start + lens[i];
                    scratch.halves(start - scratch.start, lens[i])
                });
                let of = |i: usize, half: Buf, float: Buf| if are_halves[i] { half } else { float };
                step.copy(a_half, x[0]);
                step.copy(b_half, x[1]);
                let out = of(0, y_half, y[0]);
                step.conv2d(pass, out, [a_half, of(2, b_half, x[1])], scratch.part(0, 0), spec);
                if are_halves[0] {
                    step.copy(y[0], out);
                }
            },
            &|level, y| {
                let name = format!("{precision:?} {pass:?} {spec:?} {level}");
                let sum = (terms(pass, spec) + 2) as f64 * EPSILON;
                let u = if is_weight { of_result(u) } else { u };
                assert_close(&name, &y[0], &want, |i| {
                    sum * size[i] + u * (want[i].abs() + sum * size[i])
                });
            },
        );
    }
}

#[cfg(feature = "cuda")]
#[test]
fn values_of_bf16() {
    check_values(Precision::Bf16, 1.0 / 256.0, true);
}

#[cfg(feature = "cuda")]
#[test]
fn values_of_f16() {
    check_values(Precision::F16, 1.0 / 2048.0, false);
}
