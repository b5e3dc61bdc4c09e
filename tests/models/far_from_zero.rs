//! Numbers far from zero, and sums of many.

use gradiron::prelude::*;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Every instruction set of this processor.
fn cpus() -> Vec<Cpu> {
    let with = |level| Cpu::with_threads(2).with_simd(level);
    gradiron::math::simd_levels().into_iter().map(with).collect()
}

#[track_caller]
fn assert_near(name: &str, found: f32, expected: f64, bound: f64) {
    let error = (f64::from(found) - expected).abs();
    assert!(error <= bound, "{name}: {found:e}, not {expected:e} ± {bound:e}");
}

model! {
    struct Normed {
        bn: BatchNorm1d(1),
    }

    fn forward(&self, x: [batch, 1]) -> [batch, 1] {
        self.bn(x)
    }
}

model! {
    struct Bare {
        bn: BatchNorm2d(2, affine = false),
    }

    fn forward(&self, x: [batch, 2, 4, 16]) -> [batch, 2, 4, 16] {
        self.bn(x)
    }
}

#[test]
fn a_channel_without_a_spread_is_zero() -> Outcome {
    const ROWS: usize = 32;
    for cpu in cpus() {
        let net = Normed::init(Seed(0));
        let mut ws = Normed::workspace_on(cpu, ROWS)?;
        for value in [123.456, 12_345.678, 1e9, -3e37] {
            let d_y: [[f32; 1]; ROWS] = std::array::from_fn(|i| [1.0 - 2.0 * (i % 2) as f32]);
            let (y, d_x) = net.forward_grad_inputs(&mut ws, &[[value]; ROWS], &d_y)?;
            assert!(y.iter().all(|y| y[0] == 0.0), "{value}: {y:?}");
            // 1 / √ε, in three roundings.
            for (d_x, d_y) in d_x.iter().zip(&d_y) {
                let expected = 316.227_766 * f64::from(d_y[0]);
                assert_near("d_x", d_x[0], expected, 316.0 * 4.0 / f64::from(1 << 24));
            }
        }
    }
    Ok(())
}

#[test]
fn batches_are_normalised_around_any_mean() -> Outcome {
    const ROWS: usize = 16;
    const FLOATS: usize = ROWS * 128;
    for (cpu, centre) in
        cpus().into_iter().flat_map(|cpu| [0.0_f32, 1e5, -3e6].map(|centre| (cpu.clone(), centre)))
    {
        let x: Vec<f32> = (0..FLOATS).map(|i| centre + (i as f32 * 0.731).sin() * 2.0).collect();
        let d_y: Vec<f32> = (0..FLOATS).map(|i| (i as f32 * 0.37).cos()).collect();
        let (net, mut ws) = (Bare::init(Seed(0)), Bare::workspace_on(cpu, ROWS)?);
        let (y, d_x) = net.forward_grad_inputs(
            &mut ws,
            gradiron::view::batch(&x),
            gradiron::view::batch(&d_y),
        )?;
        use gradiron::ops::batch_norm::{BatchNormSpec, reference};
        let spec = BatchNormSpec { batch: ROWS, channels: 2, inner: 64, eps: 1e-5 };
        let wide = |x: &[f32]| -> Vec<f64> { x.iter().map(|x| f64::from(*x)).collect() };
        let (mut want_y, mut want_d_x) = (vec![0.0; FLOATS], vec![0.0; FLOATS]);
        reference::batch_norm(&mut want_y, &wide(&x), &[1.0; 2], &[0.0; 2], spec);
        reference::input_grad(&mut want_d_x, &wide(&d_y), &wide(&x), &[1.0; 2], spec);
        // Values and their terms are below 4, of sums of at most 64 in `f32`, whatever the centre.
        let bound = 4.0 * 72.0 / f64::from(1 << 24);
        for (i, (y, d_x)) in
            gradiron::view::flat(y).iter().zip(gradiron::view::flat(d_x)).enumerate()
        {
            assert_near("y", *y, want_y[i], bound);
            assert_near("d_x", *d_x, want_d_x[i], bound);
        }
    }
    Ok(())
}

#[test]
fn inference_is_right_around_any_running_mean() -> Outcome {
    for cpu in cpus() {
        let mut net = Normed::init(Seed(0));
        let mut ws = Normed::workspace_on(cpu, 4)?;
        let x = [[99_999.0], [100_000.0], [100_001.5], [100_000.25]];
        net.params_mut().copy_from_slice(&[0.5, 3.0]);
        net.state_mut().copy_from_slice(&[1e5, 1.0, 7.0]);
        let y = net.forward(&mut ws, &x)?;
        for (y, x) in y.iter().zip(&x) {
            let expected = (f64::from(x[0]) - 1e5) / (1.0 + 1e-5_f64).sqrt() * 0.5 + 3.0;
            assert_near("y", y[0], expected, 4.0 * 8.0 / f64::from(1 << 24));
        }
    }
    Ok(())
}

#[test]
fn large_numbers_are_normalised() -> Outcome {
    model! {
        struct Rows {
            ln: LayerNorm(4),
            rms: RMSNorm(4),
        }

        fn centred(&self, x: [batch, 4]) -> [batch, 4] {
            self.ln(x)
        }

        fn plain(&self, x: [batch, 4]) -> [batch, 4] {
            self.rms(x)
        }
    }
    // The weight's first values are 1 and the bias' 0.
    let ulps = |n: f64| n / f64::from(1 << 24);
    for cpu in cpus() {
        let mut ws = Rows::workspace_on(cpu.clone(), 1)?;
        let net = Rows::init(Seed(0));
        for size in [1.0_f32, 1e20, 1e30, 1.6e38] {
            let x = [[size, -size, 2.0 * size, 0.0]];
            let d_y = [[1.0, -0.5, 0.25, 2.0]];
            // ε is nothing beside squares of 1e20.
            let eps = |spread: f64| (spread + 1e-5 / f64::from(size).powi(2)).sqrt();
            let normal = [0.5, -1.5, 1.5, -0.5].map(|x| x / eps(1.25));
            let (y, d_x) = net.centred_grad_inputs(&mut ws, &x, &d_y)?;
            for c in 0..4 {
                assert_near("LayerNorm", y[0][c], normal[c], ulps(8.0));
            }
            let means = [
                d_y[0].iter().map(|d| f64::from(*d)).sum::<f64>() / 4.0,
                d_y[0].iter().zip(normal).map(|(d, x)| f64::from(*d) * x).sum::<f64>() / 4.0,
            ];
            for c in 0..4 {
                let slope = f64::from(d_y[0][c]) - means[0] - normal[c] * means[1];
                let expected = slope / eps(1.25) / f64::from(size);
                // Below the normal range floats have fewer digits.
                let bound = ulps(32.0) / f64::from(size) + f64::from(f32::from_bits(2));
                assert_near("d_x", d_x[0][c], expected, bound);
            }
            let y = net.plain(&mut ws, &x)?;
            for (c, x) in [1.0, -1.0, 2.0, 0.0].into_iter().enumerate() {
                let eps = f64::from(f32::EPSILON) / f64::from(size).powi(2);
                assert_near("RMSNorm", y[0][c], x / (1.5_f64 + eps).sqrt(), ulps(8.0));
            }
        }

        // A batch of one channel: [1, −1, 2, 0] · 1e30 down the rows.
        let (net, mut ws) = (Normed::init(Seed(0)), Normed::workspace_on(cpu, 4)?);
        let x = [1e30_f32, -1e30, 2e30, 0.0].map(|x| [x]);
        let (y, d_x) = net.forward_grad_inputs(&mut ws, &x, &[[1.0], [-0.5], [0.25], [2.0]])?;
        let normal = [0.5, -1.5, 1.5, -0.5].map(|x| x / 1.25_f64.sqrt());
        let d_y = [1.0, -0.5, 0.25, 2.0];
        let along = normal.iter().zip(d_y).map(|(x, d)| x * d).sum::<f64>() / 4.0;
        for c in 0..4 {
            assert_near("BatchNorm", y[c][0], normal[c], ulps(8.0));
            let expected = (d_y[c] - 0.6875 - normal[c] * along) / 1.25_f64.sqrt() * 1e-30;
            assert_near("BatchNorm d_x", d_x[c][0], expected, ulps(32.0) * 1e-30);
        }
    }
    Ok(())
}

#[test]
fn rows_are_normalised_around_any_mean() -> Outcome {
    model! {
        struct Row {
            ln: LayerNorm(1024, bias = false),
        }

        fn forward(&self, x: [batch, 1024]) -> [batch, 1024] {
            self.ln(x)
        }
    }
    for cpu in cpus() {
        let (net, mut ws) = (Row::init(Seed(0)), Row::workspace_on(cpu, 1)?);
        let y = net.forward(&mut ws, &[[123.456; 1024]])?;
        assert!(y[0].iter().all(|y| *y == 0.0), "{:?}", &y[0][..8]);
        // The mean of these is no `f32`.
        let x: [f32; 1024] = std::array::from_fn(|i| 1e5 + (i % 8) as f32 * 0.25);
        let y = net.forward(&mut ws, &[x])?;
        let var = (0..8).map(|i| (f64::from(i) * 0.25 - 0.875).powi(2)).sum::<f64>() / 8.0;
        for (i, y) in y[0].iter().enumerate() {
            let expected = ((i % 8) as f64 * 0.25 - 0.875) / (var + 1e-5).sqrt();
            assert_near("y", *y, expected, 32.0 / f64::from(1 << 24));
        }
    }
    Ok(())
}

model! {
    fn smooth(x: [batch, 2], label: Classes[batch]) -> [] {
        cross_entropy(x, label, label_smoothing = 0.1)
    }
    fn sharp(x: [batch, 2], label: Classes[batch]) -> [] {
        cross_entropy(x, label)
    }
    fn pixels(x: [batch, 2, 3], label: Classes[batch, 3]) -> [] {
        cross_entropy(x, label, label_smoothing = 0.1)
    }
}

#[test]
fn equal_logits_cost_ln_2_anywhere() -> Outcome {
    let bound = 4.0 / f64::from(1 << 24);
    for (cpu, v) in cpus()
        .into_iter()
        .flat_map(|cpu| [0.0, 1e6_f32, 1e8, -1e9, 1e16, -3e38].map(|v| (cpu.clone(), v)))
    {
        let ln_2 = std::f64::consts::LN_2;
        let (x, label) = ([[v; 2]; 3], [0, 1, 0]);
        let mut ws = smooth_workspace_on(cpu.clone(), 3)?;
        assert_near("smooth", smooth(&mut ws, &x, &label)?, ln_2, bound);
        assert_near("with gradient", smooth_grad(&mut ws, &x, &label)?.0, ln_2, bound);
        assert_near("sharp", sharp(&mut ws, &x, &label)?, ln_2, bound);
        assert_near("with gradient", sharp_grad(&mut ws, &x, &label)?.0, ln_2, bound);
        let x = [[[v; 3]; 2]; 3];
        assert_near("pixels", pixels(&mut ws, &x, &[[0, 1, 0]; 3])?, ln_2, bound);
        assert_near("with gradient", pixels_grad(&mut ws, &x, &[[0, 1, 0]; 3])?.0, ln_2, bound);
    }
    Ok(())
}
