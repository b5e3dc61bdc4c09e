//! The functions in `f64`, from their definitions, under the same names.
#![allow(missing_docs)]

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI, FRAC_2_SQRT_PI, TAU};

/// Defines functions of `f64`s.
macro_rules! functions {
    ($($name:ident($($arg:ident),*) = $body:expr;)*) => {
        $(pub fn $name($($arg: f64),*) -> f64 {
            $body
        })*

        /// The function of this name, where it takes so many numbers.
        pub fn by_name(name: &str, args: &[f64]) -> Option<f64> {
            match (name, args) {
                $((stringify!($name), &[$($arg),*]) => Some($name($($arg),*)),)*
                _ => None,
            }
        }
    };
}

functions! {
    constant(value) = value;
    copy(x) = x;
    add(a, b) = a + b;
    sub(a, b) = a - b;
    mul(a, b) = a * b;
    mul_add(a, b, c) = a * b + c;
    div(a, b) = a / b;
    div_grad(d, y, b) = -d * y / b;
    neg(x) = -x;
    eq(a, b) = f64::from(a == b);
    ne(a, b) = f64::from(a != b);
    gt(a, b) = f64::from(a > b);
    ge(a, b) = f64::from(a >= b);
    lt(a, b) = f64::from(a < b);
    le(a, b) = f64::from(a <= b);
    where_(c, a, b) = if c == 0.0 { b } else { a };
    where_grad(c, d) = if c == 0.0 { 0.0 } else { d };
    where_grad_other(c, d) = if c == 0.0 { d } else { 0.0 };

    maximum(a, b) = if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) };
    maximum_grad(d, a, b) = if a < b { 0.0 } else if a == b { d / 2.0 } else { d };
    minimum(a, b) = if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) };
    minimum_grad(d, a, b) = if a > b { 0.0 } else if a == b { d / 2.0 } else { d };

    abs(x) = x.abs();
    abs_grad(d, x) = if x < 0.0 { -d } else if x > 0.0 { d } else { 0.0 };
    exp(x) = x.exp();
    log(x) = x.ln();
    sqrt(x) = x.sqrt();
    sqrt_grad(d, y) = d / (2.0 * y);
    square(x) = x.powi(2);
    square_grad(d, x) = d * 2.0 * x;
    sin(x) = x.sin();
    sin_grad(d, x) = d * x.cos();
    cos(x) = x.cos();
    cos_grad(d, x) = -d * x.sin();

    powf(x, p) = x.powf(p);
    powf_grad(d, x, p) = if p == 0.0 { 0.0 } else { d * p * x.powf(p - 1.0) };
    powi(x, n) = x.powf(n);
    powi_grad(d, x, n) = powf_grad(d, x, n);

    relu(x) = if x < 0.0 { 0.0 } else { x };
    relu_grad(d, y) = if y <= 0.0 { 0.0 } else { d };
    leaky_relu(x, slope) = if x < 0.0 { slope * x } else { x };
    leaky_relu_grad(d, x, slope) = if x > 0.0 { d } else { d * slope };
    elu(x, alpha) = if x > 0.0 { x } else { alpha * x.exp_m1() };
    elu_grad(d, x, alpha) = if x > 0.0 { d } else { d * alpha * x.exp() };
    gelu(x) = x * normal_cdf(x);
    gelu_grad(d, x) = d * (normal_cdf(x) + x * (-x * x / 2.0).exp() / TAU.sqrt());
    gelu_tanh(x) = x / 2.0 * (1.0 + gelu_inner(x).tanh());
    gelu_tanh_grad(d, x) = {
        // 1 − tanh² = 1 / cosh²
        let (u, slope) = (gelu_inner(x), FRAC_2_PI.sqrt() * (1.0 + 0.134_145 * x * x));
        // Where cosh² is beyond any product, infinite or not.
        let inside = if u.abs() > 300.0 { 0.0 } else { x / 2.0 * slope / u.cosh().powi(2) };
        d * ((1.0 + u.tanh()) / 2.0 + inside)
    };
    silu(x) = x * sigmoid(x);
    silu_grad(d, x) = d * (sigmoid(x) + x * sigmoid(x) * sigmoid(-x));
    mish(x) = x * x.exp().ln_1p().tanh();
    mish_grad(d, x) = {
        let t = x.exp().ln_1p().tanh();
        d * (t + x * sigmoid(x) * (1.0 - t) * (1.0 + t))
    };
    sigmoid(x) = 1.0 / (1.0 + (-x).exp());
    sigmoid_grad(d, y) = d * y * (1.0 - y);
    tanh(x) = x.tanh();
    tanh_grad(d, y) = d * (1.0 - y) * (1.0 + y);
    softplus(x, beta, threshold) =
        if x * beta > threshold { x } else { (x * beta).exp().ln_1p() / beta };
    softplus_grad(d, x, beta, threshold) =
        if x * beta > threshold { d } else { d * sigmoid(x * beta) };
    clamp(x, low, high) = if x.is_nan() { x } else { x.max(low).min(high) };
    clamp_grad(d, x, low, high) = if low < x && x < high { d } else { 0.0 };

    smooth_l1(x, beta) =
        if x.abs() < beta { x * x / (2.0 * beta) } else { x.abs() - beta / 2.0 };
    smooth_l1_grad(d, x, beta) = if x.abs() >= beta { abs_grad(d, x) } else { d * x / beta };
    huber(x, delta) =
        if x.abs() <= delta { x * x / 2.0 } else { delta * (x.abs() - delta / 2.0) };
    huber_grad(d, x, delta) = if x.abs() > delta { delta * abs_grad(d, x) } else { d * x };
    bce(x, t) = -(t * x.ln().max(-100.0) + (1.0 - t) * (-x).ln_1p().max(-100.0));
    bce_grad(d, x, t) = d * (x - t) / (x * (1.0 - x)).max(1e-12);
    bce_grad_target(d, x) = d * ((-x).ln_1p() - x.ln());
    bce_with_logits(x, t) =
        (if x < 0.0 { -t * x } else { (1.0 - t) * x }) + (-x.abs()).exp().ln_1p();
    bce_with_logits_grad(d, x, t) = d * (sigmoid(x) - t);
    bce_with_logits_grad_target(d, x) = -d * x;
    kl_div(x, t) = match (t == 0.0, x.is_nan()) {
        (true, false) => 0.0,
        _ => t * (t.ln() - x),
    };
    kl_div_grad(d, t) = -d * t;
    kl_div_grad_target(d, x, t) = if t == 0.0 { 0.0 } else { d * (t.ln() + 1.0 - x) };
}

fn gelu_inner(x: f64) -> f64 {
    FRAC_2_PI.sqrt() * (x + 0.044_715 * x.powi(3))
}

/// The distribution function of the normal distribution.
pub fn normal_cdf(x: f64) -> f64 {
    let z = x.abs() * FRAC_1_SQRT_2;
    // erf z = 2/√π e^(−z²) Σ 2ⁿ z^(2n+1) / (2n+1)!!, and its complement the continued fraction
    // e^(−z²)/√π / (z + 1/2 / (z + 2/2 / (z + 3/2 / (z + …)))).
    // (Digital Library of Mathematical Functions, 7.6.2 and 7.9.1)
    let scale = (-z * z).exp() * FRAC_2_SQRT_PI;
    let above = if z.is_nan() {
        z
    } else if z < 2.5 {
        let (mut term, mut sum) = (z, z);
        for n in 1..80 {
            term *= 2.0 * z * z / f64::from(2 * n + 1);
            sum += term;
        }
        0.5 - 0.5 * scale * sum
    } else {
        0.25 * scale / (1..=80).rev().fold(z, |rest, k| z + f64::from(k) / 2.0 / rest)
    };
    if x < 0.0 { above } else { 1.0 - above }
}
