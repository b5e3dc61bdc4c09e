//! The elementwise functions: each against its reference, each derivative against differences.
//!
//! Bounds are in units of ε, and count the roundings of the formula in `functions.rs` (see the
//! harness): 1 for an operation or a constant that is not exact, `2u` for a function of `math.rs`
//! with an error of `u` ulp. An error in the argument of a function arrives times its derivative.
//! Near ±1, `tanh` is off by `u` absolute units.

use std::marker::PhantomData;

use gradiron::device::{Buf, Kernels};
use gradiron::math::Arith;
use gradiron::ops::elementwise::{Elementwise, functions, reference};

use crate::harness::*;

/// All magnitudes, both signs, zeros, infinities, NaN, and dense numbers near 0.
fn any() -> Vec<f32> {
    let magnitudes = [
        0.0,
        1e-45,
        2e-38,
        1e-30,
        1e-10,
        1e-4,
        0.01,
        0.0625,
        0.125,
        0.25,
        0.3466,
        0.5,
        0.625,
        0.75,
        1.0,
        1.25,
        1.5,
        2.0,
        3.0,
        4.0,
        5.0,
        5.7,
        6.0,
        7.5,
        10.0,
        15.0,
        20.0,
        40.0,
        86.0,
        88.7,
        88.8,
        100.0,
        104.0,
        1000.0,
        1e4,
        1e7,
        1e10,
        1e18,
        1e20,
        1e30,
        3e38,
        f32::INFINITY,
    ];
    let mut values: Vec<f32> = magnitudes.iter().flat_map(|&x| [x, -x]).collect();
    values.push(f32::NAN);
    values.extend(Rng(51).floats(60).iter().flat_map(|x| [*x, x * 8.0]));
    values
}

fn only(keep: impl Fn(f32) -> bool) -> Vec<f32> {
    any().into_iter().filter(|x| keep(*x)).collect()
}

/// Gradients: neither so large nor so small that products leave the range.
fn slopes() -> Vec<f32> {
    vec![1.0, -0.7, 3.1]
}

/// Also such as a product with them leaves the range though the result does not.
fn large_slopes() -> Vec<f32> {
    vec![1.0, -0.7, 3.1, 1e20, -3e38, 0.0]
}

/// What a factor beside `part` makes of its rounding where it is subnormal, in units of ε.
fn tiny_share(part: f64, factor: f64) -> f64 {
    let is_subnormal = part != 0.0 && part.abs() < f64::from(f32::MIN_POSITIVE);
    if is_subnormal && factor.is_finite() { factor.abs() * 2_f64.powi(-126) } else { 0.0 }
}

/// Probabilities, also close to 0 and 1; `bce_grad` would divide what is left of subnormal ones.
fn probabilities() -> Vec<f32> {
    let mut values = only(|x| (0.0..=1.0).contains(&x) && !x.is_subnormal());
    values.extend([1e-13, 1e-12, 1e-7, 1e-6, 1.0 - 1e-7, 1.0 - 1e-6, 0.999, 0.0, 1.0]);
    values
}

/// Angles of all sizes, on both sides of those that are reduced by another way (`math/angle.rs`).
fn angles() -> Vec<f32> {
    let mut values = any();
    values.extend([
        1e9,
        1.4e8,
        -1.4e8,
        134_217_728.0,
        134_217_744.0,
        16_367_173.0 * 2_f32.powi(72),
    ]);
    values
}

fn whole() -> Vec<f32> {
    vec![0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 31.0, 100.0, -1.0, -2.0, -7.0]
}

/// Every combination of the values, again and again until there is work for three threads.
fn combined<const N: usize>(lists: [Vec<f32>; N]) -> [Vec<f32>; N] {
    let len = lists.iter().map(Vec::len).product::<usize>();
    let mut step = len;
    lists.map(|list| {
        step /= list.len();
        (0..len.max(17_000)).map(|i| list[i / step % list.len()]).collect()
    })
}

struct Function<E, const N: usize>(PhantomData<E>);

impl<E: Elementwise<N, 1, 0>, const N: usize> KernelCall for Function<E, N> {
    #[inline(always)]
    fn call<K: Kernels>(&self, k: &mut K, y: &[Buf], x: &[Buf]) {
        let x = std::array::from_fn(|i| (x[i], [true]));
        k.map::<E, N, 1, 0, 1>([y[0]], x, [y[0].len], []);
    }
}

/// Runs a function over `values` and over odd numbers of them.
fn check<E: Elementwise<N, 1, 0>, const N: usize>(
    name: &str,
    values: [Vec<f32>; N],
    exact: impl Fn([f64; N]) -> f64,
    bound: impl Fn([f64; N], f64) -> f64,
) {
    let values = combined(values);
    let all = values[0].len();
    for len in SIZES.into_iter().map(|size| size.min(all)).chain([all]) {
        let start = (all - len) / 2;
        let inputs: Vec<&[f32]> = values.iter().map(|list| &list[start..][..len]).collect();
        let at = |i: usize| std::array::from_fn(|k| f64::from(inputs[k][i]));
        let want: Vec<f64> = (0..len).map(|i| in_range(exact(at(i)))).collect();
        let call = Call { outputs: &[len], inputs: &inputs, indices: &[], scratch: 0 };
        let check = |level: &str, got: &[Vec<f32>]| {
            let bound = |i: usize| EPSILON * bound(at(i), want[i].abs());
            for (i, got) in got[0].iter().enumerate() {
                let name = format!("{name}{:?} {level}", at(i));
                assert_close(&name, &[*got], &[want[i]], |_| bound(i));
            }
        };
        let function = Function::<E, N>(PhantomData);
        call.run(|step, y, x, _| function.call(step, y, x), check);
        call.run_tiny(function, check);
    }
}

/// Infinite where an `f32` is.
fn in_range(x: f64) -> f64 {
    if (x as f32).is_infinite() { x.signum() * f64::INFINITY } else { x }
}

/// `a·b`, 0 where `a` is.
fn times(a: f64, b: f64) -> f64 {
    if a == 0.0 { 0.0 } else { a * b }
}

/// `|log |x||`, where that is finite, of an `f32`.
fn log_size(x: f64) -> f64 {
    if x.is_finite() && x != 0.0 { x.abs().ln().abs() } else { 0.0 }
}

/// The density of the normal distribution.
fn density(x: f64) -> f64 {
    (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt()
}

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
