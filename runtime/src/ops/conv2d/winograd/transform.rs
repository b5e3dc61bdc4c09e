//! The transforms of F(4×4, 3×3), one vector of channels at a time. Each is a small matrix that is
//! applied along the columns and then along the rows.

use crate::math::Vector;

/// A matrix of `TO` rows and `FROM` columns.
pub trait Transform<const FROM: usize, const TO: usize> {
    /// The matrix times a column.
    ///
    /// # Safety
    /// The processor has the instruction set of `V`.
    unsafe fn apply<V: Vector>(x: [V; FROM]) -> [V; TO];
}

/// `T x Tᵀ`
///
/// # Safety
/// The processor has the instruction set of `V`.
#[inline(always)]
pub unsafe fn both<T, V, const FROM: usize, const TO: usize>(x: [[V; FROM]; FROM]) -> [[V; TO]; TO]
where
    T: Transform<FROM, TO>,
    V: Vector,
{
    // SAFETY: registers alone are read, and the caller has the instruction set of `V`.
    unsafe {
        let zero = V::splat(0.0);
        let mut columns = [[zero; FROM]; TO];
        for c in 0..FROM {
            let mut column = [zero; FROM];
            for r in 0..FROM {
                column[r] = x[r][c];
            }
            let column = T::apply(column);
            for r in 0..TO {
                columns[r][c] = column[r];
            }
        }
        let mut y = [[zero; TO]; TO];
        for r in 0..TO {
            y[r] = T::apply(columns[r]);
        }
        y
    }
}

/// `a + k · b`
#[inline(always)]
unsafe fn plus<V: Vector>(a: V, k: f32, b: V) -> V {
    // SAFETY: registers alone are read, and the caller has the instruction set of `V`.
    unsafe { a.add_product(V::splat(k), b) }
}

/// `k · a`
#[inline(always)]
unsafe fn times<V: Vector>(k: f32, a: V) -> V {
    // SAFETY: registers alone are read, and the caller has the instruction set of `V`.
    unsafe { V::splat(0.0).add_product(V::splat(k), a) }
}

/// `Bᵀ`, of the input.
pub struct Input;

impl Transform<6, 6> for Input {
    #[inline(always)]
    unsafe fn apply<V: Vector>(x: [V; 6]) -> [V; 6] {
        // SAFETY: registers alone are read, and the caller has the instruction set of `V`.
        unsafe {
            let (a, b) = (plus(x[4], -4.0, x[2]), plus(x[3], -4.0, x[1]));
            let (c, d) = (plus(x[4], -1.0, x[2]), plus(x[3], -1.0, x[1]));
            [
                plus(plus(x[4], -5.0, x[2]), 4.0, x[0]),
                a.add(b),
                plus(a, -1.0, b),
                plus(c, 2.0, d),
                plus(c, -2.0, d),
                plus(plus(x[5], -5.0, x[3]), 4.0, x[1]),
            ]
        }
    }
}

/// `G`, of the weights.
pub struct Weight;

impl Transform<3, 6> for Weight {
    #[inline(always)]
    unsafe fn apply<V: Vector>(g: [V; 3]) -> [V; 6] {
        // SAFETY: registers alone are read, and the caller has the instruction set of `V`.
        unsafe {
            let a = times(-1.0 / 6.0, g[0].add(g[2]));
            let b = plus(times(1.0 / 24.0, g[0]), 1.0 / 6.0, g[2]);
            [
                times(0.25, g[0]),
                plus(a, -1.0 / 6.0, g[1]),
                plus(a, 1.0 / 6.0, g[1]),
                plus(b, 1.0 / 12.0, g[1]),
                plus(b, -1.0 / 12.0, g[1]),
                g[2],
            ]
        }
    }
}

/// `Aᵀ`, of the products.
pub struct Output;

impl Transform<6, 4> for Output {
    #[inline(always)]
    unsafe fn apply<V: Vector>(m: [V; 6]) -> [V; 4] {
        // SAFETY: registers alone are read, and the caller has the instruction set of `V`.
        unsafe {
            let (a, b) = (m[1].add(m[2]), plus(m[1], -1.0, m[2]));
            let (c, d) = (m[3].add(m[4]), plus(m[3], -1.0, m[4]));
            [m[0].add(a).add(c), plus(b, 2.0, d), plus(a, 4.0, c), plus(b, 8.0, d).add(m[5])]
        }
    }
}

/// `A`, of the output's gradient.
pub struct OutputGrad;

impl Transform<4, 6> for OutputGrad {
    #[inline(always)]
    unsafe fn apply<V: Vector>(y: [V; 4]) -> [V; 6] {
        // SAFETY: registers alone are read, and the caller has the instruction set of `V`.
        unsafe {
            let (a, b) = (y[0].add(y[2]), y[1].add(y[3]));
            let (c, d) = (plus(y[0], 4.0, y[2]), plus(times(2.0, y[1]), 8.0, y[3]));
            [y[0], a.add(b), plus(a, -1.0, b), c.add(d), plus(c, -1.0, d), y[3]]
        }
    }
}

/// `Gᵀ`, of the products for the gradient of the weights.
pub struct WeightGrad;

impl Transform<6, 3> for WeightGrad {
    #[inline(always)]
    unsafe fn apply<V: Vector>(p: [V; 6]) -> [V; 3] {
        // SAFETY: registers alone are read, and the caller has the instruction set of `V`.
        unsafe {
            let (a, b) = (p[1].add(p[2]), plus(p[2], -1.0, p[1]));
            let (c, d) = (p[3].add(p[4]), plus(p[3], -1.0, p[4]));
            let a = times(-1.0 / 6.0, a);
            [
                plus(plus(a, 0.25, p[0]), 1.0 / 24.0, c),
                plus(times(1.0 / 6.0, b), 1.0 / 12.0, d),
                plus(a, 1.0 / 6.0, c).add(p[5]),
            ]
        }
    }
}
