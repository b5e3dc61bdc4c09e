//! Sine and cosine.
//!
//! Angles are reduced to a quadrant and the distance from its middle in `f64`. Up to [`MOST_ANGLE`]
//! that takes three products. Beyond, `x = m · 2^e` with 24 bits in `m`, and of `2/π · 2^e` only
//! what lies below a whole turn matters: a table has it for each exponent, 81 bits in two parts (M.
//! Payne, R. Hanek, "Radian reduction for trigonometric functions", 1983). A table does not
//! vectorise well: it would make all sines take twice as long. So loops of many elements use the
//! short form, look whether any angle was beyond it, and if so compute again with
//! [`Far`](super::Far).

use super::{Arith, poly};

/// The greatest angle of the short form.
pub const MOST_ANGLE: f32 = 134_217_728.0;

/// 1.5 · 2⁵²: adding it rounds to an integer, which the low bits then hold.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// The quadrant of `x` and its distance from the middle of that quadrant; NaN beyond [`MOST_ANGLE`]
/// without `A::FAR`.
#[inline(always)]
fn quadrant<A: Arith>(x: f32) -> (u32, f32) {
    // pi/2 in two parts: `n * PI_2_HI` is exact while n has at most 28 bits.
    const PI_2_HI: f64 = 1.570_796_310_901_641_8;
    const PI_2_LO: f64 = 1.589_325_477_352_819_7e-8;
    let is_near = x.abs() <= MOST_ANGLE;
    if A::FAR && !is_near {
        return far(x);
    }
    let wide = f64::from(x);
    let shifted = wide * std::f64::consts::FRAC_2_PI + ROUND;
    let n = shifted - ROUND;
    let r = (wide - n * PI_2_HI) - n * PI_2_LO;
    (shifted.to_bits() as u32, if is_near { r as f32 } else { f32::NAN })
}

/// The same beyond [`MOST_ANGLE`], and NaN for what is no number. No float is closer to a middle
/// than 2⁻³¹, so that an error of 2⁻⁵⁶ is small beside any distance.
fn far(x: f32) -> (u32, f32) {
    let (bits, sign) = (x.to_bits(), if x < 0.0 { -1.0 } else { 1.0 });
    let exponent = (bits >> 23 & 255) as usize;
    let m = sign * f64::from(bits & 0x007f_ffff | 0x0080_0000);
    // 24 bits by 28: exact. So is the difference from the nearest whole number.
    let [high, low] = TURNS[exponent - FIRST].map(|part| part * m);
    let shifted = high + low + ROUND;
    let r = (high - (shifted - ROUND)) + low;
    (shifted.to_bits() as u32, (r * std::f64::consts::FRAC_PI_2) as f32)
}

/// The exponent of the first angle beyond [`MOST_ANGLE`], with its bias.
const FIRST: usize = 154;

/// `2/π · 2^e` less what is a multiple of 4, in a part of 28 bits and one of 53, for each exponent.
static TURNS: [[f64; 2]; 256 - FIRST] = {
    let mut turns = [[f64::NAN; 2]; 256 - FIRST];
    let mut at = 0;
    while at < turns.len() - 1 {
        // `m` has its last bit at 2^e. Bit `e - 1` behind the point of 2/π then stands for 2.
        let first = at + FIRST - 150 - 1;
        turns[at] = [
            bits(first, 28) as f64 / (1_u64 << 26) as f64,
            bits(first + 28, 53) as f64 / (1_u64 << 26) as f64 / (1_u64 << 53) as f64,
        ];
        at += 1;
    }
    turns
};

/// `count` bits of 2/π from bit `first` behind the point on, which is bit 1 where it stands for
/// 1/2.
const fn bits(first: usize, count: usize) -> u64 {
    const TWO_BY_PI: [u64; 3] =
        [0xa2f9_836e_4e44_1529, 0xfc27_57d1_f534_ddc0, 0xdb62_9599_3c43_9041];
    let (mut value, mut bit) = (0, first - 1);
    while bit < first - 1 + count {
        value = value << 1 | TWO_BY_PI[bit / 64] >> (63 - bit % 64) & 1;
        bit += 1;
    }
    value
}

#[inline(always)]
fn sin_quadrant<A: Arith>(n: u32, r: f32) -> f32 {
    let z = r * r;
    let q = poly::<A, 3>(z, [-0.000_195_878_9, 0.008_332_748, -0.166_666_65]);
    let sin = A::mul_add(q * z, r, r);
    let q = poly::<A, 3>(z, [2.454_794_2e-5, -0.001_388_830_3, 0.041_666_664]);
    let cos = A::mul_add(q * z, z, A::mul_add(z, -0.5, 1.0));
    let y = if n & 1 == 0 { sin } else { cos };
    f32::from_bits(y.to_bits() ^ ((n & 2) << 30))
}

/// The sine: at most 2 ulp. Beyond [`MOST_ANGLE`] it needs [`Far`](super::Far), and is NaN without.
#[inline(always)]
pub fn sin<A: Arith>(x: f32) -> f32 {
    let (n, r) = quadrant::<A>(x);
    let y = sin_quadrant::<A>(n, r);
    // -0 keeps its sign.
    if x == 0.0 { x } else { y }
}

/// The cosine: at most 2 ulp, as for [`sin`].
#[inline(always)]
pub fn cos<A: Arith>(x: f32) -> f32 {
    let (n, r) = quadrant::<A>(x);
    sin_quadrant::<A>(n.wrapping_add(1), r)
}
