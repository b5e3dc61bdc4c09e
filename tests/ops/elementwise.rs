//! The elementwise functions: each against its reference, each derivative against differences.
//!
//! Bounds are in units of ε, and count the roundings of the formula in `functions.rs` (see the
//! harness): 1 for an operation or a constant that is not exact, `2u` for a function of `math.rs`
//! with an error of `u` ulp. An error in the argument of a function arrives times its derivative.
//! Near ±1, `tanh` is off by `u` absolute units.

mod check;

use gradiron::math::Arith;
use gradiron::ops::elementwise::blocks::Operand::X;
use gradiron::ops::elementwise::blocks::{Blocks, Link};
use gradiron::ops::elementwise::{Elementwise, functions, reference};

use self::check::*;

/// Makes a test of each row: the values of the arguments, and the bound from `y = |result|`.
macro_rules! table {
    ($($name:ident($($arg:ident: $values:expr),*) |$y:ident| $bound:expr;)*) => {
        const TESTED: &[&str] = &[$(stringify!($name)),*];

        $(#[test]
        #[allow(unused_variables)]
        fn $name() {
            const N: usize = [$(stringify!($arg)),*].len();
            struct Chain;
            impl Elementwise<N, 1, 0> for Chain {
                const TEXT: &'static str = match N {
                    1 => concat!("t0 = ", stringify!($name), "(x0); t0"),
                    2 => concat!("t0 = ", stringify!($name), "(x0, x1); t0"),
                    3 => concat!("t0 = ", stringify!($name), "(x0, x1, x2); t0"),
                    _ => concat!("t0 = ", stringify!($name), "(x0, x1, x2, x3); t0"),
                };
                const TURNS: bool = true;
                #[inline(always)]
                fn eval<A: Arith>([$($arg),*]: [f32; N], []: [f32; 0]) -> [f32; 1] {
                    [functions::$name::<A>($($arg),*)]
                }
                #[inline(always)]
                fn is_far<A: Arith>(x: [f32; N], []: [f32; 0]) -> bool {
                    x.into_iter().any(functions::is_far)
                }
            }
            struct ByBlocks;
            impl Elementwise<N, 1, 0> for ByBlocks {
                const TEXT: &'static str = Chain::TEXT;
                const BLOCKS: Option<Blocks> = Blocks::new(
                    true,
                    &[Link(functions::on_blocks::$name, [X(0), X(1), X(2), X(3)].split_at(N).0)],
                    &[0],
                );
                fn eval<A: Arith>(_: [f32; N], _: [f32; 0]) -> [f32; 1] {
                    unreachable!("blocks are there")
                }
            }
            check_blocks::<Chain, ByBlocks, N>(stringify!($name), [$($values),*]);
            check::<Chain, N>(
                stringify!($name),
                [$($values),*],
                |[$($arg),*]| reference::$name($($arg),*),
                |[$($arg),*], $y| $bound,
            );
        })*
    };
}

table! {
    constant(value: any()) |y| 0.0;
    copy(x: any()) |y| 0.0;
    add(a: any(), b: any()) |y| y;
    sub(a: any(), b: any()) |y| y;
    mul(a: any(), b: any()) |y| y;
    // The product of a processor without fused arithmetic is rounded, and may leave the range.
    mul_add(a: slopes(), b: only(|b| b.abs() < 1e18), c: slopes()) |y| y + (a * b).abs();
    div(a: any(), b: any()) |y| y;
    div_grad(d: slopes(), y: slopes(), b: any()) |z| 2.0 * z;
    neg(x: any()) |y| 0.0;
    eq(a: any(), b: any()) |y| 0.0;
    ne(a: any(), b: any()) |y| 0.0;
    gt(a: any(), b: any()) |y| 0.0;
    ge(a: any(), b: any()) |y| 0.0;
    lt(a: any(), b: any()) |y| 0.0;
    le(a: any(), b: any()) |y| 0.0;
    where_(c: vec![0.0, -0.0, 1.0, 0.5, f32::NAN], a: any(), b: vec![0.0, 7.0]) |y| 0.0;
    where_grad(c: vec![0.0, 1.0, f32::NAN], d: any()) |y| 0.0;
    where_grad_other(c: vec![0.0, 1.0, f32::NAN], d: any()) |y| 0.0;

    maximum(a: any(), b: any()) |y| 0.0;
    maximum_grad(d: any(), a: any(), b: whole()) |y| 0.0;
    minimum(a: any(), b: any()) |y| 0.0;
    minimum_grad(d: any(), a: any(), b: whole()) |y| 0.0;

    abs(x: any()) |y| 0.0;
    abs_grad(d: slopes(), x: any()) |y| 0.0;
    exp(x: any()) |y| 3.0 * y;
    log(x: any()) |y| 2.0 * y;
    sqrt(x: any()) |y| y;
    sqrt_grad(d: slopes(), y: only(|y| y <= 1e30)) |z| z;
    square(x: any()) |y| y;
    square_grad(d: large_slopes(), x: any()) |y| y;
    sin(x: angles()) |y| 4.0 * y;
    sin_grad(d: slopes(), x: angles()) |y| 5.0 * y;
    cos(x: angles()) |y| 4.0 * y;
    cos_grad(d: slopes(), x: angles()) |y| 5.0 * y;

    // A power is the C library's, with at most 1 ulp.
    powf(x: any(), p: vec![0.0, 0.5, 1.0, 2.0, -1.0, 0.3, 1.7, -2.4, 9.5, 100.0]) |y| 2.0 * y;
    // x^(q (1 + ε)) = x^q · (1 + ε q log x), with q = p − 1.
    powf_grad(d: slopes(), x: any(), p: vec![0.0, 0.5, 1.0, 2.0, -1.0, 0.3, 1.7, -2.4, 9.5])
        |y| times(y, 4.0 + (p - 1.0).abs() * log_size(x));
    powi(x: any(), n: whole()) |y| 2.0 * y;
    powi_grad(d: slopes(), x: any(), n: whole()) |y| 4.0 * y;

    relu(x: any()) |y| 0.0;
    relu_grad(d: any(), y: any()) |z| 0.0;
    leaky_relu(x: any(), slope: vec![0.01, 0.3]) |y| y;
    leaky_relu_grad(d: slopes(), x: any(), slope: vec![0.01, 0.3]) |y| y;
    elu(x: any(), alpha: vec![1.0, 0.3]) |y| 6.0 * y;
    elu_grad(d: slopes(), x: any(), alpha: vec![1.0, 0.3]) |y| 5.0 * y;
    // Φ is off by 3ε.
    gelu(x: any()) |y| 3.0 * x.abs() + y;
    // Φ as above; φ: a square in the exponent, its exponential (3), a factor (2).
    gelu_grad(d: slopes(), x: any()) |y| {
        let slope = times(density(x), x.abs());
        y + d.abs() * (3.0 + times(slope, 5.0 + x * x / 2.0) + 2.0 * (slope + 1.0))
    };
    // u = √(2/π) (x + 0.044715 x³) takes 7, which tanh makes 7 · max u (1 − tanh²u) = 3.2; then
    // tanh (4) and 1 + tanh (at most 2): 9.2, and half of it.
    gelu_tanh(x: any()) |y| 4.6 * x.abs() + y;
    // With e = 7.2 for tanh, 1 − tanh² takes 2e + 2 = 16.4; u′ takes 7, products and sums the rest.
    gelu_tanh_grad(d: slopes(), x: any()) |y| {
        // Beyond 16 the slope is that of 16.
        let x = x.clamp(-16.0, 16.0);
        let half_slope = (x / 2.0 * 0.8 * (1.0 + 0.134_145 * x * x)).abs();
        y + d.abs() * (4.6 + half_slope * 16.4 + times(1.0 / x.cosh(), half_slope * 10.0) + 2.0)
    };
    silu(x: any()) |y| 7.0 * y;
    // σ takes 6, 1 − σ then 6σ + (1 − σ).
    silu_grad(d: slopes(), x: any()) |y| {
        let s = reference::sigmoid(x);
        let sum = (1.0 + x * (1.0 - s)).abs();
        y + times(d.abs() * s, x.abs() * (6.0 * s + 2.0 * (1.0 - s)) + 8.0 * sum)
    };
    // The argument of tanh is off by 6, which arrives at most as much; tanh adds 4.
    mish(x: any()) |y| 11.0 * y;
    // With t off by 10, 1 − t² is off by 20 t² + 2; σ takes 6. Beyond 10, t is 1.
    mish_grad(d: slopes(), x: any()) |y| {
        let (t, s) = (reference::softplus(x, 1.0, 1e3).tanh(), reference::sigmoid(x));
        let factor = times(s, x.abs().min(10.0));
        y + d.abs() * (10.0 * t + factor * (20.0 * t * t + 2.0 + 9.0 * (1.0 - t * t)))
    };
    sigmoid(x: any()) |y| 6.0 * y;
    sigmoid_grad(d: slopes(), y: probabilities()) |z| 3.0 * z;
    tanh(x: any()) |y| 4.0 * y;
    tanh_grad(d: slopes(), y: only(|y| y.abs() <= 1.0)) |z| d.abs() * y * y + 2.0 * z;
    // βx takes 1, which arrives times the derivative σ(βx).
    softplus(x: any(), beta: vec![1.0, 0.5, 3.0], threshold: vec![20.0, 5.0])
        |y| 7.0 * y + times(reference::sigmoid(beta * x), x.abs());
    softplus_grad(d: slopes(), x: any(), beta: vec![1.0, 0.5, 3.0], threshold: vec![20.0, 5.0])
        |y| times(y, 7.0 + times(reference::sigmoid(-beta * x), (beta * x).abs()));
    clamp(x: any(), low: vec![-1.0, 0.5, f32::NEG_INFINITY], high: vec![1.0, 0.0, f32::INFINITY])
        |y| 0.0;
    clamp_grad(d: any(), x: any(), low: vec![-1.0, 0.5, f32::NEG_INFINITY], high: vec![1.0, 0.0])
        |y| 0.0;

    smooth_l1(x: any(), beta: vec![1.0, 0.3, 0.0, 7.0, 1e30]) |y| 3.0 * y + tiny_share(x / beta, x);
    smooth_l1_grad(d: large_slopes(), x: any(), beta: vec![1.0, 0.3, 0.0, 7.0, 1e30])
        |y| 2.0 * y + tiny_share(x / beta, d);
    huber(x: any(), delta: vec![1.0, 0.3, 7.0]) |y| 2.0 * y;
    huber_grad(d: slopes(), x: any(), delta: vec![1.0, 0.3, 7.0]) |y| y;
    // Both terms are positive: nothing cancels.
    bce(x: probabilities(), t: probabilities()) |y| 7.0 * y;
    bce_grad(d: slopes(), x: probabilities(), t: probabilities()) |y| 5.0 * y;
    bce_grad_target(d: slopes(), x: probabilities())
        |y| 2.0 * y + d.abs() * (4.0 * (-x).ln_1p().abs() + 2.0 * x.ln().abs());
    // With l = log(1 + e^−|x|), where e^−|x| / (1 + e^−|x|) <= l: 3 + 4. Both terms are positive.
    bce_with_logits(x: any(), t: probabilities()) |y| {
        let l = (-x.abs()).exp().ln_1p();
        2.0 * (y - l) + 7.0 * l + y
    };
    bce_with_logits_grad(d: slopes(), x: any(), t: probabilities())
        |y| 2.0 * y + d.abs() * 6.0 * reference::sigmoid(x);
    bce_with_logits_grad_target(d: slopes(), x: any()) |y| y;
    kl_div(x: any(), t: probabilities())
        |y| 2.0 * y + times(t, 2.0 * log_size(t));
    kl_div_grad(d: slopes(), t: any()) |y| y;
    kl_div_grad_target(d: slopes(), x: any(), t: probabilities())
        |y| 2.0 * y + d.abs() * 3.0 * (log_size(t) + 1.0);
}

#[test]
fn every_function_is_tested() {
    assert_eq!(functions::NAMES, TESTED);
}

/// Makes a check of each row: points, a function of `x`, its derivative from `d` and `x`.
macro_rules! derivatives {
    ($($name:ident: $points:expr, |$x:ident| $f:expr, |$d:ident| $grad:expr;)*) => {
        const DERIVATIVES: &[&str] = &[$(stringify!($name)),*];

        /// The derivatives of the references.
        mod derivatives {
            use super::check::{check_derivative, points};

            $(#[test]
            fn $name() {
                use gradiron::ops::elementwise::reference::*;
                check_derivative(stringify!($name), $points, |$x| $f, |$d, $x| $grad);
            })*
        }
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
    mish_grad: points(-9.0, 9.0, &[]), |x| mish(x), |d| mish_grad(d, x);
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
