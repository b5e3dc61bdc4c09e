//! The derivatives of the elementwise references against differences of the functions.

use gradiron::ops::elementwise::functions;

/// Evenly from `from` to `to`, not within a step of the `kinks`, where a function has no
/// derivative and PyTorch chooses one.
fn points(from: f64, to: f64, kinks: &[f64]) -> Vec<f64> {
    let points = (0..=61).map(|i| from + (to - from) * f64::from(i) / 61.0);
    points.filter(|x| kinks.iter().all(|kink| (x - kink).abs() > 3.0 * STEP)).collect()
}

const STEP: f64 = 1.0 / 1024.0;

/// Differences of the fourth order are off by `h⁴/30 · |f⁽⁵⁾| < 3.1e-14 · |f⁽⁵⁾|` and by
/// `3 · 2^-52 · |f| / h < 7e-13 · |f|`: with fifth derivatives below 3e4, as here (those of the
/// logarithm at 0.25 are the largest), by 1e-9.
fn check(name: &str, points: Vec<f64>, f: impl Fn(f64) -> f64, grad: impl Fn(f64, f64) -> f64) {
    assert!(points.len() > 30, "{name}");
    for x in points {
        let at = |steps: f64| f(x + steps * STEP);
        let slope = (8.0 * (at(1.0) - at(-1.0)) - (at(2.0) - at(-2.0))) / (12.0 * STEP);
        for d in [1.0, -0.7] {
            let (want, got) = (d * slope, grad(d, x));
            let error = (got - want).abs();
            assert!(error <= 1e-9 * (1.0 + f(x).abs()), "{name}({d}, {x}) is {got}, not {want}");
        }
    }
}

/// Makes a check of each row: points, a function of `x`, its derivative from `d` and `x`.
macro_rules! derivatives {
    ($($name:ident: $points:expr, |$x:ident| $f:expr, |$d:ident| $grad:expr;)*) => {
        const DERIVATIVES: &[&str] = &[$(stringify!($name)),*];

        $(#[test]
        fn $name() {
            use gradiron::ops::elementwise::reference::*;
            check(stringify!($name), $points, |$x| $f, |$d, $x| $grad);
        })*
    };
}

derivatives! {
    div_grad: points(0.5, 4.0, &[]), |b| div(1.5, b), |d| div_grad(d, div(1.5, b), b);
    where_grad: points(-3.0, 3.0, &[]), |a| where_(1.0, a, 0.4), |d| {
        let _ = a;
        where_grad(1.0, d)
    };
    where_grad_other: points(-3.0, 3.0, &[]),
        |b| where_(0.0, 0.4, b), |d| {
        let _ = b;
        where_grad_other(0.0, d)
    };
    maximum_grad: points(-3.0, 3.0, &[0.4]), |a| maximum(a, 0.4), |d| maximum_grad(d, a, 0.4);
    minimum_grad: points(-3.0, 3.0, &[0.4]), |a| minimum(a, 0.4), |d| minimum_grad(d, a, 0.4);
    abs_grad: points(-3.0, 3.0, &[0.0]), |x| abs(x), |d| abs_grad(d, x);
    sqrt_grad: points(0.5, 9.0, &[]), |x| sqrt(x), |d| sqrt_grad(d, sqrt(x));
    square_grad: points(-3.0, 3.0, &[]), |x| square(x), |d| square_grad(d, x);
    sin_grad: points(-9.0, 9.0, &[]), |x| sin(x), |d| sin_grad(d, x);
    cos_grad: points(-9.0, 9.0, &[]), |x| cos(x), |d| cos_grad(d, x);
    powf_grad: points(0.5, 4.0, &[]), |x| powf(x, -1.7), |d| powf_grad(d, x, -1.7);
    powi_grad: points(-3.0, 3.0, &[]), |x| powi(x, 5.0), |d| powi_grad(d, x, 5.0);
    relu_grad: points(-3.0, 3.0, &[0.0]), |x| relu(x), |d| relu_grad(d, relu(x));
    leaky_relu_grad: points(-3.0, 3.0, &[0.0]),
        |x| leaky_relu(x, 0.1), |d| leaky_relu_grad(d, x, 0.1);
    elu_grad: points(-3.0, 3.0, &[0.0]), |x| elu(x, 0.7), |d| elu_grad(d, x, 0.7);
    gelu_grad: points(-7.0, 7.0, &[]), |x| gelu(x), |d| gelu_grad(d, x);
    gelu_tanh_grad: points(-7.0, 7.0, &[]), |x| gelu_tanh(x), |d| gelu_tanh_grad(d, x);
    silu_grad: points(-9.0, 9.0, &[]), |x| silu(x), |d| silu_grad(d, x);
    sigmoid_grad: points(-9.0, 9.0, &[]), |x| sigmoid(x), |d| sigmoid_grad(d, sigmoid(x));
    tanh_grad: points(-5.0, 5.0, &[]), |x| tanh(x), |d| tanh_grad(d, tanh(x));
    // At the threshold the function jumps.
    softplus_grad: points(-9.0, 9.0, &[2.5]),
        |x| softplus(x, 2.0, 5.0), |d| softplus_grad(d, x, 2.0, 5.0);
    clamp_grad: points(-3.0, 3.0, &[-1.0, 0.5]),
        |x| clamp(x, -1.0, 0.5), |d| clamp_grad(d, x, -1.0, 0.5);
    // The first derivatives of these two have kinks, where differences are of the first order.
    smooth_l1_grad: points(-3.0, 3.0, &[-0.7, 0.7]),
        |x| smooth_l1(x, 0.7), |d| smooth_l1_grad(d, x, 0.7);
    huber_grad: points(-3.0, 3.0, &[-0.7, 0.7]), |x| huber(x, 0.7), |d| huber_grad(d, x, 0.7);
    bce_grad: points(0.25, 0.75, &[]), |x| bce(x, 0.3), |d| bce_grad(d, x, 0.3);
    bce_grad_target: points(0.0, 1.0, &[]), |t| bce(0.2, t), |d| {
        let _ = t;
        bce_grad_target(d, 0.2)
    };
    // Of two terms with kinks at 0 that cancel.
    bce_with_logits_grad: points(-9.0, 9.0, &[]),
        |x| bce_with_logits(x, 0.3), |d| bce_with_logits_grad(d, x, 0.3);
    bce_with_logits_grad_target: points(0.0, 1.0, &[]), |t| bce_with_logits(1.3, t), |d| {
        let _ = t;
        bce_with_logits_grad_target(d, 1.3)
    };
    kl_div_grad: points(-5.0, 0.0, &[]), |x| kl_div(x, 0.4), |d| {
        let _ = x;
        kl_div_grad(d, 0.4)
    };
    kl_div_grad_target: points(0.25, 1.0, &[]),
        |t| kl_div(-1.3, t), |d| kl_div_grad_target(d, -1.3, t);
}

#[test]
fn every_derivative_is_tested() {
    let named = functions::NAMES.iter().copied().filter(|name| name.contains("_grad"));
    assert_eq!(named.collect::<Vec<_>>(), DERIVATIVES);
}
