//! Layer normalisation, with and without centring.

use gradiron::device::Buf;
use gradiron::ops::layer_norm::{Affine, LayerNorm, LayerNormSpec, STATS, reference};

use crate::any::AnyKernels;
use crate::harness::*;

fn check(spec: LayerNormSpec, [with_w, with_b]: [bool; 2], shift: f32) {
    let (n, d) = (spec.rows * spec.dim, spec.dim);
    let mut rng = Rng(18);
    let x: Vec<f32> = rng.floats(n).iter().map(|x| x + shift).collect();
    let (d_y, w, b) = (rng.floats(n), rng.floats(d), rng.floats(d));
    let w = if with_w { &w[..] } else { &[] };
    let b = if with_b { &b[..] } else { &[] };
    let mut y = vec![0.0; n];
    reference::layer_norm(&mut y, &wide(&x), &wide(w), &wide(b), spec);
    let mut d_x = vec![0.0; n];
    let [mut d_w, mut d_b] = [w, b].map(|p| vec![0.0; p.len()]);
    let gradients = [&mut d_x[..], &mut d_w, &mut d_b];
    reference::layer_norm_grad(gradients, &wide(&d_y), &wide(&x), &wide(w), spec);
    let call = Call {
        outputs: &[n, STATS * spec.rows, n, w.len(), b.len(), n],
        inputs: &[&x, &d_y, w, b],
        indices: &[],
        scratch: spec.grad_scratch(),
    };
    // `x − μ` is exact to ε·(|x| + |μ|), and the scale to a few ε more.
    let far = f64::from(shift.abs()) + 1.0;
    let rstd: Vec<f64> = (0..spec.rows).map(|r| scale(&x[r * d..][..d], spec)).collect();
    let kernel = |step: &mut AnyKernels<'_>, y: &[Buf], x: &[Buf], scratch: Buf| {
        let affine = Affine { weight: x[2], bias: x[3] };
        step.layer_norm(y[0], y[1], x[0], affine, spec);
        step.layer_norm(y[5], y[1].part(0, 0), x[0], affine, spec);
        let d_affine = Affine { weight: y[3], bias: y[4] };
        step.layer_norm_grad(y[2], d_affine, x[1], x[0], x[2], y[1], spec, scratch);
    };
    call.run(kernel, |level, got| {
        let name = format!("{spec:?} {with_w} {with_b} {level}");
        let terms = d as f64 + 8.0;
        // Of `x̂`, relative to its own size and to the error of the mean.
        let hat = |i: usize| {
            let x_hat = (f64::from(x[i]).abs() + far) * rstd[i / d];
            EPSILON * (terms / 8.0 + 8.0) * x_hat * (1.0 + x_hat * x_hat / far)
        };
        assert_close(&name, &got[0], &y, |i| hat(i) + 2.0 * EPSILON);
        assert_eq!(got[0], got[5], "{name}");
        let of_g = |i: usize| 4.0 * rstd[i / d] * (hat(i) * 4.0 + terms * EPSILON);
        let rows = spec.rows as f64;
        assert_close(&format!("{name} d_x"), &got[2], &d_x, of_g);
        let largest = (0..n).map(hat).fold(0.0, f64::max);
        let most = far * rstd.iter().copied().fold(0.0, f64::max);
        let of_w = rows * (largest + rows * EPSILON * most);
        assert_close(&format!("{name} d_w"), &got[3], &d_w, |_| of_w);
        assert_close(&format!("{name} d_b"), &got[4], &d_b, |_| rows * rows * EPSILON);
    });
    if shift == 0.0 {
        call.run_halves([&[0, 2, 5], &[0, 1]], 1e-5, kernel);
    }
    if n <= 200 && n > 0 {
        let value = |x: &[f64], w: &[f64], b: &[f64]| {
            let mut y = vec![0.0; n];
            reference::layer_norm(&mut y, x, w, b, spec);
            y.iter().zip(&d_y).map(|(y, d_y)| y * f64::from(*d_y)).sum::<f64>()
        };
        let (x, w, b) = (wide(&x), wide(w), wide(b));
        // Where a row has hardly a spread, third derivatives are of order `ε^(−3/2)`, and
        // differences are no measure: rows of few elements may have none.
        if spec.dim >= 7 {
            assert_gradient("layer_norm x", &x, &d_x, |x| value(x, &w, &b));
        }
        assert_gradient("layer_norm w", &w, &d_w, |w| value(&x, w, &b));
        assert_gradient("layer_norm b", &b, &d_b, |b| value(&x, &w, b));
    }
}

/// `1 / √(σ² + ε)`
fn scale(x: &[f32], spec: LayerNormSpec) -> f64 {
    let n = x.len() as f64;
    let sum: f64 = x.iter().map(|&x| f64::from(x)).sum();
    let mean = if spec.centred { sum / n } else { 0.0 };
    let squares: f64 = x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum();
    1.0 / (squares / n + f64::from(spec.eps)).sqrt()
}

#[test]
fn rows_of_every_length() {
    for dim in SIZES.into_iter().chain([384, 1025]) {
        for rows in [0, 1, 3, 17, 65, 300] {
            for centred in [true, false] {
                let spec = LayerNormSpec { rows, dim, eps: 1e-5, centred };
                check(spec, [true, true], 0.0);
            }
        }
    }
}

#[test]
fn long_rows() {
    for dim in [768, 1024, 2048, 9000, 16_392, 16_397] {
        check(LayerNormSpec { rows: 5, dim, eps: 1e-5, centred: true }, [true, true], 0.0);
    }
}

#[test]
fn without_weight_or_bias() {
    for affine in [[true, false], [false, true], [false, false]] {
        for centred in [true, false] {
            check(LayerNormSpec { rows: 9, dim: 17, eps: 1e-5, centred }, affine, 0.0);
        }
    }
}

#[test]
fn far_from_zero() {
    check(LayerNormSpec { rows: 9, dim: 65, eps: 1e-5, centred: true }, [true, true], 1000.0);
}

/// Memory is planned for the most rows, and serves fewer.
#[test]
fn fewer_rows_need_no_more_memory() {
    let mut most = 0;
    for rows in 0..6000 {
        let spec = LayerNormSpec { rows, dim: 4, eps: 1e-5, centred: true };
        let needed = spec.grad_scratch();
        assert!(needed >= most, "{rows} rows: {needed}, and {most} of fewer");
        most = needed;
    }
}
