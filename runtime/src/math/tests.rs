//! Every function on every level against `f64`, over the whole range of `f32`.

use super::*;

/// The distance of neighbouring floats at `y`.
fn ulp(y: f64) -> f64 {
    let y = (y.abs() as f32).clamp(f32::MIN_POSITIVE, f32::MAX);
    f64::from(y) - f64::from(f32::from_bits(y.to_bits() - 1))
}

fn inputs() -> Vec<f32> {
    let mut inputs: Vec<f32> = (0..u32::MAX - 1511).step_by(1511).map(f32::from_bits).collect();
    // The range where most of the structure is, densely.
    inputs.extend((-200_000..200_000).map(|i| i as f32 * 6e-4));
    inputs.extend((-200_000..200_000).map(|i| i as f32 * 1.3e-5));
    let edges = [0.0, 1.0, f32::MIN_POSITIVE, f32::MAX, f32::INFINITY, f32::from_bits(1)];
    inputs.extend(edges.iter().flat_map(|&x| [x, -x]));
    inputs.push(f32::NAN);
    inputs.extend([88.72, 88.73, -87.3, -87.4, -103.9, -104.0, 4.0, 0.625, 0.5, 2.0]);
    inputs
}

fn check(name: &str, bound: f64, f: fn(SimdLevel, &mut [f32], &[f32]), exact: fn(f64) -> f64) {
    let x = inputs();
    for level in simd_levels() {
        let mut y = vec![0.0; x.len()];
        f(level, &mut y, &x);
        let (mut worst, mut at) = (0.0, 0.0);
        for (&x, &y) in x.iter().zip(&y) {
            let want = exact(f64::from(x));
            let rounded = want as f32;
            if want.is_nan() || rounded.is_infinite() || y.is_nan() || y.is_infinite() {
                // The last float before overflow may still be finite or already infinite.
                let edge = want.is_finite() && want.abs() < 1.000_001 * f64::from(f32::MAX);
                let same = rounded.to_bits() == y.to_bits() || (rounded.is_nan() && y.is_nan());
                assert!(same || edge, "{name} {level:?}: {name}({x:e}) = {y:e}, not {want:e}");
                continue;
            }
            if want == 0.0 {
                assert_eq!(y, 0.0, "{name} {level:?} at {x:e}");
            }
            let error = (f64::from(y) - want).abs() / ulp(want);
            if error > worst {
                (worst, at) = (error, x);
            }
        }
        println!("{name:9} {:?}: {worst:.3} ulp at {at:e}", level.kind());
        assert!(worst <= bound, "{name} {level:?}: {worst} ulp at {at:e}, more than {bound}");
    }
}

macro_rules! check {
    ($name:ident, $bound:expr, $exact:expr) => {
        check!(@ $name, A, $bound, $exact, A);
    };
    ($name:ident, $arith:ident, $bound:expr, $exact:expr) => {
        check!(@ $name, A, $bound, $exact, $arith<A>);
    };
    (@ $name:ident, $A:ident, $bound:expr, $exact:expr, $arith:ty) => {
        #[test]
        fn $name() {
            simd! {
                fn all<$A>(y: &mut [f32], x: &[f32]) {
                    for (y, x) in y.iter_mut().zip(x) {
                        *y = crate::math::$name::<$arith>(*x);
                    }
                }
            }
            check(stringify!($name), $bound, all, $exact);
        }
    };
}

/// `Φ` by its own reference, in units of 2⁻²⁴.
#[test]
fn normal() {
    simd! {
        fn all<A>(y: &mut [f32], x: &[f32]) {
            for (y, x) in y.iter_mut().zip(x) {
                *y = super::normal::<A>(*x);
            }
        }
    }
    let x: Vec<f32> = (-130_000..=130_000).map(|i| i as f32 * 1e-4).collect();
    for level in simd_levels() {
        let mut y = vec![0.0; x.len()];
        all(level, &mut y, &x);
        let error = |(x, y): (&f32, &f32)| {
            let want = crate::ops::elementwise::reference::normal_cdf(f64::from(*x));
            (f64::from(*y) - want).abs() * f64::from(1 << 24)
        };
        let worst = x.iter().zip(&y).map(error).fold(0.0, f64::max);
        println!("normal {:?}: {worst:.3}", level.kind());
        assert!(worst <= 3.0, "{:?}: {worst}", level.kind());
    }
}

check!(exp, 1.5, f64::exp);
check!(expm1, 2.5, f64::exp_m1);
check!(log, 1.0, f64::ln);
check!(log1p, 2.0, f64::ln_1p);
check!(tanh, 2.0, f64::tanh);
check!(sigmoid, 3.0, |x| if x < 0.0 {
    x.exp() / (1.0 + x.exp())
} else {
    1.0 / (1.0 + (-x).exp())
});
check!(softplus, 3.0, |x| x.max(0.0) + (-x.abs()).exp().ln_1p() + if x.is_nan() { x } else { 0.0 });
check!(sin, 2.0, |x| if x.abs() <= 134_217_728.0 { x.sin() } else { f64::NAN });
check!(cos, 2.0, |x| if x.abs() <= 134_217_728.0 { x.cos() } else { f64::NAN });

/// All angles. `f64`'s sine reduces an `f32` exactly.
mod far {
    use super::*;

    check!(sin, Far, 2.0, f64::sin);
    check!(cos, Far, 2.0, f64::cos);

    /// Angles next to multiples of π/2, where most cancels: the closest of `f32`s are among them.
    #[test]
    fn next_to_quadrants() {
        for exponent in 0..104 {
            let mut closest = vec![(1.0, 0.0)];
            for m in (1 << 23..1 << 24).step_by(if exponent % 26 == 0 { 11 } else { 997 }) {
                let x = m as f32 * 2_f32.powi(exponent);
                let (sin, cos) = f64::from(x).sin_cos();
                let away = sin.abs().min(cos.abs());
                if away < closest[closest.len() - 1].0 {
                    closest.push((away, x));
                }
            }
            for (_, x) in closest {
                let (got, want) = (super::super::sin::<Far<Fused>>(x), f64::from(x).sin());
                assert!((f64::from(got) - want).abs() <= 2.0 * ulp(want), "sin {x:e} {got:e}");
                let (got, want) = (super::super::cos::<Far<Plain>>(x), f64::from(x).cos());
                assert!((f64::from(got) - want).abs() <= 2.0 * ulp(want), "cos {x:e} {got:e}");
            }
        }
    }

    /// What is not beyond the short form has its bits.
    #[test]
    fn the_same_bits_where_both_are_defined() {
        for x in inputs().into_iter().filter(|x| x.abs() <= MOST_ANGLE) {
            let [near, far] = [super::super::sin::<Plain>(x), super::super::sin::<Far<Plain>>(x)];
            assert_eq!(near.to_bits(), far.to_bits(), "{x:e}");
        }
    }
}
