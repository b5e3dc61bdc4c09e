//! Batch normalisation: its statistics and sums.

use gradiron::device::Buf;
use gradiron::ops::batch_norm::{BatchNorm, BatchNormSpec, Running, reference};
use gradiron::ops::fill::Fill as _;

use crate::any::AnyKernels;
use crate::harness::*;

/// Sums in `f32` are at most this long, and a few operations follow.
const CHAIN: f64 = 64.0 + 4.0;

fn specs() -> Vec<BatchNormSpec> {
    let shapes = [
        (32, 64, 1024),
        (32, 512, 16),
        (256, 300, 1),
        (8, 37, 49),
        (3, 5, 65),
        (1, 2, 10_000),
        (70, 3, 63),
        (5000, 1, 1),
        (2, 260, 7),
        (1, 3, 1),
    ];
    let mut specs: Vec<_> = shapes.to_vec();
    for size in SIZES {
        specs.extend([(size, 3, 17), (3, size, 5), (17, 2, size), (2, size, 64)]);
    }
    let spec = |(batch, channels, inner)| BatchNormSpec { batch, channels, inner, eps: 1e-5 };
    specs.into_iter().map(spec).collect()
}

/// Channels of different means and spreads, some far from 0.
fn input(spec: BatchNormSpec, rng: &mut Rng) -> Vec<f32> {
    let mut x = rng.floats(spec.elements());
    for (i, x) in x.iter_mut().enumerate() {
        let channel = i / spec.inner % spec.channels;
        *x = match channel % 4 {
            0 => *x,
            1 => 1000.0 + *x,
            2 => *x * 50.0 - 20.0,
            _ => 0.25,
        };
    }
    x
}

#[test]
fn statistics() {
    for spec in specs() {
        let mut rng = Rng(31);
        let x = input(spec, &mut rng);
        let x64 = wide(&x);
        let old = [rng.floats(spec.channels), rng.floats(spec.channels), vec![4.0]];
        let (mut moments, mut size) = (Vec::new(), Vec::new());
        reference::channels(spec, |_, places| {
            moments.push(reference::moments(&x64, places));
            size.push(places.iter().map(|&at| x64[at].abs()).sum::<f64>() / places.len() as f64);
        });
        // The centre of a tile is off by δ, and so are distances from it, which are summed; the
        // mean is off by the roundings of these sums alone. Squares are off by CHAIN roundings, and
        // distances between tiles, at most a standard deviation in the mean, by 2δ.
        let delta = |c: usize| CHAIN * EPSILON * size[c];
        let mean_bound = |c: usize| CHAIN * EPSILON * (moments[c].1.sqrt() + delta(c));
        let var_bound = |c: usize| {
            let var = moments[c].1;
            CHAIN * EPSILON * var + 4.0 * mean_bound(c) * var.sqrt() + 4.0 * mean_bound(c).powi(2)
        };
        let eps = f64::from(spec.eps);
        let means: Vec<f64> = moments.iter().map(|(mean, _)| *mean).collect();
        let invstds: Vec<f64> = moments.iter().map(|(_, var)| 1.0 / (var + eps).sqrt()).collect();
        let n = spec.count() as f64;
        for momentum in [Some(0.1_f32), None] {
            let weight = momentum.map_or(0.2, f64::from);
            let moved = |old: f32, new: f64| (1.0 - weight) * f64::from(old) + weight * new;
            let running = |c: usize| moved(old[0][c], means[c]);
            let new_means: Vec<f64> = (0..spec.channels).map(running).collect();
            let new_vars: Vec<f64> = (0..spec.channels)
                .map(|c| match spec.count() {
                    1 => f64::from(old[1][c]),
                    _ => moved(old[1][c], moments[c].1 * n / (n - 1.0)),
                })
                .collect();
            let channels = spec.channels;
            Call {
                outputs: &[channels, channels, channels, channels, channels, 1],
                inputs: &[&x, &old[0], &old[1], &old[2]],
                indices: &[],
                scratch: 0,
            }
            .run(
                |step, y, x, _| {
                    let (old, new) = ([x[1], x[2], x[3]], [y[3], y[4], y[5]]);
                    let running = Running { old, new, momentum };
                    step.batch_norm_statistics([y[0], y[1]], y[2], x[0], Some(running), spec);
                },
                |level, got| {
                    let name = format!("{spec:?} {level}");
                    let half = 2.0 * EPSILON;
                    assert_close(&name, &got[0], &means, |c| mean_bound(c) + half * means[c].abs());
                    // Both parts: as if the mean had twice the digits.
                    for (c, mean) in means.iter().enumerate() {
                        let error = (f64::from(got[0][c]) + f64::from(got[1][c]) - mean).abs();
                        let bound = mean_bound(c) + half * EPSILON * mean.abs();
                        assert!(
                            error <= bound,
                            "{name}: mean {c} is off by {error:e}, not {bound:e}"
                        );
                    }
                    let bound = |c: usize| {
                        let relative = var_bound(c) / (moments[c].1 + eps);
                        (relative + half) * invstds[c]
                    };
                    assert_close(&name, &got[2], &invstds, bound);
                    let bound =
                        |c: usize| weight * mean_bound(c) + half * (1.0 + new_means[c].abs());
                    assert_close(&name, &got[3], &new_means, bound);
                    let bound =
                        |c: usize| 2.0 * weight * var_bound(c) + half * (1.0 + new_vars[c].abs());
                    assert_close(&name, &got[4], &new_vars, bound);
                    assert_eq!(got[5], [5.0]);
                },
            );
        }
        let call = Call { outputs: &[spec.channels; 3], inputs: &[&x], indices: &[], scratch: 0 };
        // Where bf16 leave a channel no spread, roundings of its mean show beside ε.
        call.run_halves([&[], &[0]], 1e-2, |step, y, x, _| {
            step.batch_norm_statistics([y[0], y[1]], y[2], x[0], None, spec);
            // What an `f32` leaves of the mean is one of its roundings, and another one of other
            // elements.
            step.fill(y[1], 0.0);
        });
        call.run(
            |step, y, x, _| step.batch_norm_statistics([y[0], y[1]], y[2], x[0], None, spec),
            |level, got| {
                assert_close(level, &got[0], &means, |c| mean_bound(c) + 2.0 * EPSILON * size[c]);
            },
        );
    }
}

#[test]
fn sums() {
    for spec in specs() {
        let mut rng = Rng(32);
        let (x, d_y) = (input(spec, &mut rng), rng.floats(spec.elements()));
        let (mut mean, mut rest, mut invstd) = (Vec::new(), Vec::new(), Vec::new());
        reference::channels(spec, |_, places| {
            let (mu, var) = reference::moments(&wide(&x), places);
            mean.push(mu as f32);
            rest.push((mu - f64::from(mu as f32)) as f32);
            invstd.push((1.0 / (var + f64::from(spec.eps)).sqrt()) as f32);
        });
        let (mut d_w, mut d_b) = (vec![0.0; spec.channels], vec![0.0; spec.channels]);
        let mu: Vec<f64> = mean
            .iter()
            .zip(&rest)
            .map(|(mean, rest)| f64::from(*mean) + f64::from(*rest))
            .collect();
        let statistics = [&mu[..], &wide(&invstd)[..]];
        let (x64, d_y64) = (wide(&x), wide(&d_y));
        reference::sums([&mut d_w, &mut d_b], &d_y64, &x64, statistics, spec);
        let (mut product_sizes, mut sizes) = (Vec::new(), Vec::new());
        reference::channels(spec, |c, places| {
            let products = places
                .iter()
                .map(|&at| (d_y64[at] * (x64[at] - mu[c]) * f64::from(invstd[c])).abs());
            let size = places.iter().map(|&at| d_y64[at].abs()).sum::<f64>();
            // The rest of the mean is taken away after the sums.
            let of_rest = f64::from(rest[c]).abs() * f64::from(invstd[c]) * size;
            product_sizes.push(products.sum::<f64>() + 2.0 * of_rest);
            sizes.push(size);
        });
        let inputs: &[&[f32]] = &[&d_y, &x, &mean, &rest, &invstd];
        let kernel = |step: &mut AnyKernels<'_>, y: &[Buf], x: &[Buf], _: Buf| {
            step.batch_norm_sums(y[0], y[1], x[0], x[1], [x[2], x[3]], x[4], spec);
        };
        let call = Call { outputs: &[spec.channels; 2], inputs, indices: &[], scratch: 0 };
        call.run_halves([&[], &[0, 1]], 1e-4, kernel);
        call.run(kernel, |level, got| {
            let name = format!("{spec:?} {level}");
            assert_close(&name, &got[0], &d_w, |c| CHAIN * EPSILON * product_sizes[c]);
            assert_close(&name, &got[1], &d_b, |c| CHAIN * EPSILON * sizes[c]);
        });
    }
}

#[test]
fn channels_beyond_the_squares_of_floats() {
    for (batch, channels, inner) in [(9, 2, 1), (3, 3, 64), (40, 70, 3), (2, 1, 9000)] {
        // So small an ε hides nothing.
        for (size, eps) in [(1e30_f32, 1e-5), (3e37, 1e-5), (1e-27, 1e-40)] {
            let spec = BatchNormSpec { batch, channels, inner, eps };
            let mut rng = Rng(34);
            let x: Vec<f32> = rng.floats(spec.elements()).iter().map(|x| x * size).collect();
            let d_y = rng.floats(x.len());
            let (x64, d_y64) = (wide(&x), wide(&d_y));
            let (mut means, mut stds) = (Vec::new(), Vec::new());
            reference::channels(spec, |_, places| {
                let (mean, var) = reference::moments(&x64, places);
                means.push(mean);
                stds.push((var + f64::from(eps)).sqrt());
            });
            let invstds: Vec<f64> = stds.iter().map(|std| 1.0 / std).collect();
            let (mut d_w, mut d_b) = (vec![0.0; channels], vec![0.0; channels]);
            reference::sums([&mut d_w, &mut d_b], &d_y64, &x64, [&means, &invstds], spec);
            let outputs = [channels; 5];
            let call = Call { outputs: &outputs, inputs: &[&x, &d_y], indices: &[], scratch: 0 };
            call.run(
                |step, y, x, _| {
                    let mean = [y[0], y[1]];
                    step.batch_norm_statistics(mean, y[2], x[0], None, spec);
                    step.batch_norm_sums(y[3], y[4], x[1], x[0], mean, y[2], spec);
                },
                |level, got| {
                    let name = format!("{spec:?} {size:e} {level}");
                    let bound = |c: usize| CHAIN * EPSILON * f64::from(size) + TINY * stds[c];
                    assert_close(&name, &got[0], &means, bound);
                    assert_close(&name, &got[2], &invstds, |c| CHAIN * EPSILON * invstds[c]);
                    // Terms are of order 1.
                    let n = spec.count() as f64;
                    assert_close(&name, &got[3], &d_w, |_| 3.0 * CHAIN * EPSILON * n);
                    assert_close(&name, &got[4], &d_b, |_| CHAIN * EPSILON * n);
                },
            );
        }
    }
}

#[test]
fn reference_gradients() {
    for (batch, channels, inner) in [(5, 3, 7), (17, 2, 1), (2, 1, 2)] {
        let spec = BatchNormSpec { batch, channels, inner, eps: 0.1 };
        let mut rng = Rng(33);
        let x = wide(&rng.floats(spec.elements()));
        let (w, b) = (wide(&rng.floats(channels)), wide(&rng.floats(channels)));
        let d_y = wide(&rng.floats(x.len()));
        let loss = |x: &[f64], w: &[f64], b: &[f64]| {
            let mut y = vec![0.0; x.len()];
            reference::batch_norm(&mut y, x, w, b, spec);
            weighted(&y, &d_y)
        };
        let mut d_x = vec![0.0; x.len()];
        reference::input_grad(&mut d_x, &d_y, &x, &w, spec);
        assert_gradient("d_x", &x, &d_x, |x| loss(x, &w, &b));
        let (mut mean, mut invstd) = (Vec::new(), Vec::new());
        reference::channels(spec, |_, places| {
            let (mu, var) = reference::moments(&x, places);
            mean.push(mu);
            invstd.push(1.0 / (var + f64::from(spec.eps)).sqrt());
        });
        let (mut d_w, mut d_b) = (vec![0.0; channels], vec![0.0; channels]);
        reference::sums([&mut d_w, &mut d_b], &d_y, &x, [&mean, &invstd], spec);
        assert_gradient("d_w", &w, &d_w, |w| loss(&x, w, &b));
        assert_gradient("d_b", &b, &d_b, |b| loss(&x, &w, b));
    }
}
