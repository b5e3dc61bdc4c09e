//! The elementwise functions and their derivatives, PyTorch's definitions: one text, which is
//! compiled for registers of processors, and from which GPUs get theirs
//! (`source.rs`). `f_grad` is `d_x` from the gradient `d` of the output and from `x`
//! or `y`, as its arguments say.
#![allow(missing_docs)] // most are their formula

use crate::math::{self, Arith};

/// Defines functions of `f32`s that are always inlined, without branches.
///
/// A body is an expression, or a block of `let`s and an expression, of numbers, arithmetic,
/// comparisons, `if … else`, methods of variables, and functions of this table and of [`math`],
/// which `math.cuh` has under the same names.
macro_rules! functions {
    (
        constants { $($constant:ident = $value:literal;)* }
        $($(#[$doc:meta])* $name:ident<$A:ident>($($arg:ident),*) = $body:expr;)*
    ) => {
        $(const $constant: f32 = $value;)*

        $($(#[$doc])*
        #[inline(always)]
        pub fn $name<$A: Arith>($($arg: f32),*) -> f32 {
            $body
        })*

        super::blocks::on_blocks! { $($name($($arg),*))* }

        /// All of them.
        #[doc(hidden)]
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];

        /// The constants, and the functions as they stand here.
        #[cfg(any(feature = "cuda", test))]
        pub(super) const SOURCE: super::source::Source = super::source::Source {
            constants: &[$((stringify!($constant), stringify!($value))),*],
            functions: &[$((stringify!($name), &[$(stringify!($arg)),*], stringify!($body))),*],
        };
    };
}

/// Whether the angle `x` needs [`Far`](crate::math::Far).
#[inline(always)]
pub fn is_far(x: f32) -> bool {
    x.abs() > math::MOST_ANGLE
}

/// 1 where `condition`, else 0.
#[inline(always)]
fn indicator(condition: bool) -> f32 {
    if condition { 1.0 } else { 0.0 }
}

functions! {
    constants {
        // √(2/π)
        GELU_TANH = 0.797_884_6;
        // 1/√(2π)
        INV_SQRT_TAU = 0.398_942_3;
    }

    constant<A>(value) = value;
    copy<A>(x) = x;
    add<A>(a, b) = a + b;
    sub<A>(a, b) = a - b;
    mul<A>(a, b) = a * b;
    /// `a · b + c`, in one rounding where the processor has it.
    mul_add<A>(a, b, c) = A::mul_add(a, b, c);
    div<A>(a, b) = a / b;
    /// The derivative by the divisor: `-d · y / b`.
    div_grad<A>(d, y, b) = -d * y / b;
    neg<A>(x) = -x;
    /// 1 where equal, else 0; so are the comparisons that follow.
    eq<A>(a, b) = indicator(a == b);
    ne<A>(a, b) = indicator(a != b);
    gt<A>(a, b) = indicator(a > b);
    ge<A>(a, b) = indicator(a >= b);
    lt<A>(a, b) = indicator(a < b);
    le<A>(a, b) = indicator(a <= b);
    /// `a` where `c` is not 0, else `b`.
    where_<A>(c, a, b) = if c != 0.0 { a } else { b };
    where_grad<A>(c, d) = if c != 0.0 { d } else { 0.0 };
    /// By the second choice.
    where_grad_other<A>(c, d) = if c != 0.0 { 0.0 } else { d };

    /// The larger one; NaN if one is.
    maximum<A>(a, b) = math::larger(a, b);
    /// By the first; equal ones share the gradient.
    maximum_grad<A>(d, a, b) = {
        let d = if a == b { 0.5 * d } else { d };
        if a < b { 0.0 } else { d }
    };
    /// The smaller one; NaN if one is.
    minimum<A>(a, b) = math::smaller(a, b);
    /// By the first; equal ones share the gradient.
    minimum_grad<A>(d, a, b) = {
        let d = if a == b { 0.5 * d } else { d };
        if a > b { 0.0 } else { d }
    };

    abs<A>(x) = x.abs();
    /// `d · sign(x)`, 0 at 0.
    abs_grad<A>(d, x) = d * (indicator(x > 0.0) - indicator(x < 0.0));
    exp<A>(x) = math::exp::<A>(x);
    log<A>(x) = math::log::<A>(x);
    sqrt<A>(x) = x.sqrt();
    sqrt_grad<A>(d, y) = d / (2.0 * y);
    square<A>(x) = x * x;
    square_grad<A>(d, x) = 2.0 * (d * x);
    sin<A>(x) = math::sin::<A>(x);
    sin_grad<A>(d, x) = d * math::cos::<A>(x);
    cos<A>(x) = math::cos::<A>(x);
    cos_grad<A>(d, x) = -d * math::sin::<A>(x);

    /// `x^p`
    powf<A>(x, p) = x.powf(p);
    powf_grad<A>(d, x, p) = if p == 0.0 { 0.0 } else { d * p * x.powf(p - 1.0) };
    /// `x^n`, `n` a whole number.
    powi<A>(x, n) = math::whole_power(x, n);
    powi_grad<A>(d, x, n) = if n == 0.0 { 0.0 } else { d * n * math::whole_power_before(x, n) };

    /// `max(x, 0)`; NaN passes.
    relu<A>(x) = if x <= 0.0 { 0.0 } else { x };
    relu_grad<A>(d, y) = if y <= 0.0 { 0.0 } else { d };
    /// `x`, or `slope · x` below 0.
    leaky_relu<A>(x, slope) = if x > 0.0 { x } else { slope * x };
    leaky_relu_grad<A>(d, x, slope) = if x > 0.0 { d } else { slope * d };
    /// `x`, or `α (eˣ − 1)` below 0.
    elu<A>(x, alpha) = if x > 0.0 { x } else { alpha * math::expm1::<A>(x) };
    elu_grad<A>(d, x, alpha) = if x > 0.0 { d } else { d * alpha * math::exp::<A>(x) };
    /// `x Φ(x)`, `Φ` the normal distribution.
    gelu<A>(x) = x * math::normal::<A>(x);
    /// `d (Φ(x) + x φ(x))`
    gelu_grad<A>(d, x) = {
        // The exponential is that of `normal`, which is computed once.
        let density = INV_SQRT_TAU * math::exp::<A>(-0.5 * x * x);
        d * A::mul_add(x, density, math::normal::<A>(x))
    };
    /// `x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))`
    gelu_tanh<A>(x) = 0.5 * x * (1.0 + math::tanh::<A>(GELU_TANH * (x + 0.044_715 * x * x * x)));
    gelu_tanh_grad<A>(d, x) = {
        // The slope is 0 or 1 from 9 on, where the square of a large number would be infinite.
        let x = if x > 16.0 { 16.0 } else { x };
        let x = if x < -16.0 { -16.0 } else { x };
        let t = math::tanh::<A>(GELU_TANH * (x + 0.044_715 * x * x * x));
        let inner = GELU_TANH * (1.0 + 3.0 * 0.044_715 * x * x);
        d * (0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner)
    };
    /// `x σ(x)`
    silu<A>(x) = x * math::sigmoid::<A>(x);
    silu_grad<A>(d, x) = {
        let s = math::sigmoid::<A>(x);
        d * s * (1.0 + x * (1.0 - s))
    };
    /// `x tanh(log(1 + eˣ))`
    mish<A>(x) = x * math::tanh::<A>(math::softplus::<A>(x));
    mish_grad<A>(d, x) = {
        let t = math::tanh::<A>(math::softplus::<A>(x));
        d * (t + x * math::sigmoid::<A>(x) * (1.0 - t * t))
    };
    /// `1 / (1 + e⁻ˣ)`
    sigmoid<A>(x) = math::sigmoid::<A>(x);
    sigmoid_grad<A>(d, y) = d * y * (1.0 - y);
    tanh<A>(x) = math::tanh::<A>(x);
    tanh_grad<A>(d, y) = d * (1.0 - y * y);
    /// `log(1 + e^(βx)) / β`, or `x` where `βx` is above the threshold.
    softplus<A>(x, beta, threshold) =
        if x * beta > threshold { x } else { math::softplus::<A>(x * beta) / beta };
    softplus_grad<A>(d, x, beta, threshold) =
        if x * beta > threshold { d } else { d * math::sigmoid::<A>(x * beta) };
    /// `min(max(x, low), high)`; NaN passes.
    clamp<A>(x, low, high) = {
        let x = if x < low { low } else { x };
        if x > high { high } else { x }
    };
    /// 0 on the bounds too, and at NaN.
    clamp_grad<A>(d, x, low, high) = if x > low && x < high { d } else { 0.0 };

    /// `x²/2β` where `|x| < β`, `|x| − β/2` elsewhere.
    smooth_l1<A>(x, beta) =
        if x.abs() < beta { 0.5 * x * (x / beta) } else { x.abs() - 0.5 * beta };
    smooth_l1_grad<A>(d, x, beta) =
        if x.abs() >= beta { abs_grad::<A>(d, x) } else { d * (x / beta) };
    /// `x²/2` where `|x| ≤ δ`, `δ (|x| − δ/2)` elsewhere.
    huber<A>(x, delta) =
        if x.abs() <= delta { 0.5 * x * x } else { delta * (x.abs() - 0.5 * delta) };
    huber_grad<A>(d, x, delta) = if x.abs() > delta { delta * abs_grad::<A>(d, x) } else { d * x };
    /// `−(t log x + (1 − t) log(1 − x))`, the logarithms not below −100 (PyTorch).
    bce<A>(x, t) = {
        let log_x = math::log::<A>(x);
        let log_1_x = math::log1p::<A>(-x);
        let log_x = if log_x < -100.0 { -100.0 } else { log_x };
        let log_1_x = if log_1_x < -100.0 { -100.0 } else { log_1_x };
        (t - 1.0) * log_1_x - t * log_x
    };
    /// `d (x − t) / max(x (1 − x), 10⁻¹²)`
    bce_grad<A>(d, x, t) = {
        let variance = x * (1.0 - x);
        d * (x - t) / if variance < 1e-12 { 1e-12 } else { variance }
    };
    bce_grad_target<A>(d, x) = d * (math::log1p::<A>(-x) - math::log::<A>(x));
    /// `(1 − t) x + softplus(−x)`, the cross-entropy of `σ(x)`.
    bce_with_logits<A>(x, t) = {
        // softplus(−x) = max(−x, 0) + log(1 + e^−|x|), and below 0 `(1 − t) x − x = −t x`: a small
        // `t` beside 1 would be lost in the sum.
        let weight = if x < 0.0 { -t } else { 1.0 - t };
        weight * x + math::log1p::<A>(math::exp::<A>(-x.abs()))
    };
    bce_with_logits_grad<A>(d, x, t) = d * (math::sigmoid::<A>(x) - t);
    bce_with_logits_grad_target<A>(d, x) = -d * x;
    /// `t (log t − x)`, 0 where `t` is 0; NaN passes.
    kl_div<A>(x, t) = {
        let of_zero = if x.is_nan() { x } else { 0.0 };
        if t == 0.0 { of_zero } else { t * (math::log::<A>(t) - x) }
    };
    kl_div_grad<A>(d, t) = -d * t;
    kl_div_grad_target<A>(d, x, t) =
        if t == 0.0 { 0.0 } else { d * (math::log::<A>(t) + 1.0 - x) };
}
