//! Vector mathematics: functions of one `f32`, without branches, that LLVM vectorises when a loop
//! over them sits inside a function with the right target features (`simd!`, [`Body`]).
//!
//! Each function states its greatest error against the function of real numbers, in units in the
//! last place of the result (ulp); `math/tests.rs` measures it over the whole range of `f32`.
//! The polynomials are near-minimax fits made for this file.

mod angle;
pub mod bf16;
mod dispatch;
#[cfg(test)]
mod tests;
mod vector;

pub use angle::{MOST_ANGLE, cos, sin};

pub use dispatch::{Body, SimdKind, SimdLevel, simd_levels};
pub(crate) use dispatch::{PortableArith, simd};
pub(crate) use vector::{MAX_LANES, PortableVector, Vector, by_level, prefetch};

/// How `a * b + c` is computed.
pub trait Arith: Copy + 'static {
    /// Whether [`sin`] and [`cos`] take angles of any size, see [`Far`].
    const FAR: bool = false;

    /// `a * b + c`
    fn mul_add(a: f32, b: f32, c: f32) -> f32;
}

/// One rounding. Slow outside functions that enable `fma` (there it is a library call).
#[derive(Clone, Copy, Debug)]
pub struct Fused;

/// Two roundings.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

/// The same arithmetic, with sines and cosines of all angles: one by one, since angles beyond
/// [`MOST_ANGLE`] are reduced by way of a table. Those that are not beyond have the same bits.
#[derive(Clone, Copy, Debug)]
pub struct Far<A>(std::marker::PhantomData<A>);

impl<A: Arith> Arith for Far<A> {
    const FAR: bool = true;

    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        A::mul_add(a, b, c)
    }
}

impl Arith for Fused {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

impl Arith for Plain {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
}

/// Horner's rule, the highest coefficient first.
#[inline(always)]
fn poly<A: Arith, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[0];
    let mut i = 1;
    while i < N {
        sum = A::mul_add(sum, x, coefficients[i]);
        i += 1;
    }
    sum
}

/// 1.5 · 2²³: adding it rounds to an integer, which the low bits then hold.
const ROUND: f32 = 12_582_912.0;
const LN2_HI: f32 = 0.693_145_75;
const LN2_LO: f32 = 1.428_606_8e-6;

/// `2^n` for `-126 <= n <= 127`.
#[inline(always)]
fn exp2i(n: i32) -> f32 {
    f32::from_bits(n.wrapping_add(127).wrapping_shl(23) as u32)
}

/// `(p, n)` with `e^x = 2^n · (1 + p)`.
#[inline(always)]
fn exp_parts<A: Arith>(x: f32) -> (f32, i32) {
    let shifted = A::mul_add(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = A::mul_add(n, -LN2_HI, x);
    let r = A::mul_add(n, -LN2_LO, r);
    let q =
        poly::<A, 5>(r, [0.001_392_675_8, 0.008_363_346, 0.041_666_55, 0.166_665_76, 0.500_000_06]);
    let p = A::mul_add(q, r * r, r);
    (p, (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32))
}

/// `x · 2^n`, where `2^n` itself may leave the range and the result does not.
#[inline(always)]
fn scale(x: f32, n: i32) -> f32 {
    let half = n >> 1;
    x * exp2i(half) * exp2i(n.wrapping_sub(half))
}

/// `e^x`: at most 1.5 ulp, subnormal results included.
#[inline(always)]
pub fn exp<A: Arith>(x: f32) -> f32 {
    // Comparisons, not `min`/`max`: NaN passes through.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    let (p, n) = exp_parts::<A>(x);
    scale(p + 1.0, n)
}

/// `e^x − 1`: at most 2.5 ulp.
#[inline(always)]
pub fn expm1<A: Arith>(x: f32) -> f32 {
    let z = if x > 89.0 { 89.0 } else { x };
    let z = if z < -20.0 { -20.0 } else { z };
    let (p, n) = exp_parts::<A>(z);
    // e^x − 1 = 2^n · (p + (1 − 2^-n))
    let inverse = exp2i(if n > 126 { -126 } else { n.wrapping_neg() });
    let y = scale(p + (1.0 - inverse), n);
    // -0 keeps its sign.
    if x == 0.0 { x } else { y }
}

/// The natural logarithm: at most 1 ulp.
#[inline(always)]
pub fn log<A: Arith>(x: f32) -> f32 {
    let tiny = x < f32::MIN_POSITIVE;
    let scaled = if tiny { x * 8_388_608.0 } else { x };
    // x = 2^e · m with sqrt(1/2) <= m < sqrt(2)
    let bits = scaled.to_bits();
    let offset = bits.wrapping_sub(0x3f35_04f3);
    let e = (offset as i32) >> 23;
    let m = f32::from_bits((offset & 0x007f_ffff).wrapping_add(0x3f35_04f3));
    let e = e as f32 - if tiny { 23.0 } else { 0.0 };
    let f = m - 1.0;
    let q = poly::<A, 9>(
        f,
        [
            0.069_697_54,
            -0.114_791_88,
            0.116_857_96,
            -0.124_257_766,
            0.142_490_33,
            -0.166_677_98,
            0.200_007_16,
            -0.249_999_97,
            0.333_333_3,
        ],
    );
    let square = f * f;
    let tail = A::mul_add(q * f, square, e * LN2_LO);
    let tail = A::mul_add(square, -0.5, tail);
    let y = A::mul_add(e, LN2_HI, tail + f);
    let y = if x > 0.0 { y } else { f32::NAN };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x == f32::INFINITY { f32::INFINITY } else { y }
}

/// `log(1 + x)`: at most 2 ulp.
#[inline(always)]
pub fn log1p<A: Arith>(x: f32) -> f32 {
    let w = 1.0 + x;
    let lost = x - (w - 1.0);
    let y = log::<A>(w) + lost / w;
    // -0 keeps its sign, and at the ends of the range `lost / w` is NaN.
    let y = if w == 1.0 { x } else { y };
    let y = if x == f32::INFINITY { f32::INFINITY } else { y };
    if x == -1.0 { f32::NEG_INFINITY } else { y }
}

/// The hyperbolic tangent: at most 2 ulp.
#[inline(always)]
pub fn tanh<A: Arith>(x: f32) -> f32 {
    let z = x * x;
    let q =
        poly::<A, 5>(z, [-0.006_096_714, 0.020_997_18, -0.053_850_91, 0.133_327_7, -0.333_333_28]);
    let near = A::mul_add(q * z, x, x);
    let a = x.abs();
    let far = 1.0 - 2.0 / (exp::<A>(a + a) + 1.0);
    if a < 0.625 { near } else { far.copysign(x) }
}

/// `1 / (1 + e^-x)`: at most 3 ulp, subnormal results included.
#[inline(always)]
pub fn sigmoid<A: Arith>(x: f32) -> f32 {
    let e = exp::<A>(-x.abs());
    let top = if x < 0.0 { e } else { 1.0 };
    top / (1.0 + e)
}

/// `Φ(x)`, the distribution function of the normal distribution, with an error of at most 3 · 2⁻²⁴: the tail is the exponential times a polynomial of `1 / (1 + 0.35 |x|)`, the form of
/// Zelen and Severo (Abramowitz and Stegun, 26.2.17).
#[inline(always)]
pub fn normal<A: Arith>(x: f32) -> f32 {
    let e = exp::<A>(-0.5 * x * x);
    let t = 1.0 / (1.0 + 0.35 * x.abs());
    let p = poly::<A, 7>(
        t,
        [
            0.032_084_547,
            -0.126_066_7,
            0.099_005_185,
            0.122_432_13,
            0.079_272_36,
            0.155_800_8,
            0.137_471_68,
        ],
    );
    let tail = e * (p * t);
    if x < 0.0 { tail } else { 1.0 - tail }
}

/// `log(1 + e^x)`: at most 3 ulp, subnormal results included.
#[inline(always)]
pub fn softplus<A: Arith>(x: f32) -> f32 {
    let positive = if x < 0.0 { 0.0 } else { x };
    positive + log1p::<A>(exp::<A>(-x.abs()))
}

/// The larger one; NaN if one is.
#[inline(always)]
pub fn larger(a: f32, b: f32) -> f32 {
    if a > b || a.is_nan() { a } else { b }
}

/// The smaller one; NaN if one is.
#[inline(always)]
pub fn smaller(a: f32, b: f32) -> f32 {
    if a < b || a.is_nan() { a } else { b }
}

/// `x^n`, `n` a whole number. In `f64`: repeated products of `f32`s would be off by `n` roundings, and
/// overflow on the way to a small result.
#[inline(always)]
pub fn whole_power(x: f32, n: f32) -> f32 {
    f64::from(x).powi(n as i32) as f32
}

/// `x^(n − 1)`, `n` a whole number: also where no `f32` is `n − 1`.
#[inline(always)]
pub fn whole_power_before(x: f32, n: f32) -> f32 {
    f64::from(x).powi((n as i32).saturating_sub(1)) as f32
}
