//! Numbers that the elementwise functions are tried on, and what is checked of them.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::marker::PhantomData;

use gradiron::device::{Buf, Kernels};
use gradiron::ops::elementwise::Elementwise;

use crate::harness::*;

/// All magnitudes, both signs, zeros, infinities, NaN, and dense numbers near 0.
pub fn any() -> Vec<f32> {
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

pub fn only(keep: impl Fn(f32) -> bool) -> Vec<f32> {
    any().into_iter().filter(|x| keep(*x)).collect()
}

/// Gradients: neither so large nor so small that products leave the range.
pub fn slopes() -> Vec<f32> {
    vec![1.0, -0.7, 3.1]
}

/// Also such as a product with them leaves the range though the result does not.
pub fn large_slopes() -> Vec<f32> {
    vec![1.0, -0.7, 3.1, 1e20, -3e38, 0.0]
}

/// What a factor beside `part` makes of its rounding where it is subnormal, in units of ε.
pub fn tiny_share(part: f64, factor: f64) -> f64 {
    let is_subnormal = part != 0.0 && part.abs() < f64::from(f32::MIN_POSITIVE);
    if is_subnormal && factor.is_finite() { factor.abs() * 2_f64.powi(-126) } else { 0.0 }
}

/// Probabilities, also close to 0 and 1; `bce_grad` would divide what is left of subnormal ones.
pub fn probabilities() -> Vec<f32> {
    let mut values = only(|x| (0.0..=1.0).contains(&x) && !x.is_subnormal());
    values.extend([1e-13, 1e-12, 1e-7, 1e-6, 1.0 - 1e-7, 1.0 - 1e-6, 0.999, 0.0, 1.0]);
    values
}

/// Angles of all sizes, on both sides of those that are reduced by another way (`math/angle.rs`).
pub fn angles() -> Vec<f32> {
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

pub fn whole() -> Vec<f32> {
    vec![0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 31.0, 100.0, -1.0, -2.0, -7.0]
}

/// Every combination of the values, again and again until there is work for three threads.
pub fn combined<const N: usize>(lists: [Vec<f32>; N]) -> [Vec<f32>; N] {
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
pub fn check<E: Elementwise<N, 1, 0>, const N: usize>(
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

/// A function and the same in blocks: equal bits for each instruction set and number of threads.
/// Far angles are left out, which blocks leave to the chain.
pub fn check_blocks<E, B, const N: usize>(name: &str, values: [Vec<f32>; N])
where
    E: Elementwise<N, 1, 0>,
    B: Elementwise<N, 1, 0>,
{
    let turns = name.starts_with("sin") || name.starts_with("cos");
    let values = combined(values.map(|mut list| {
        list.retain(|x| !turns || x.abs() < 1e5);
        list
    }));
    let inputs: Vec<&[f32]> = values.iter().map(Vec::as_slice).collect();
    let len = inputs[0].len();
    let call = Call { outputs: &[len], inputs: &inputs, indices: &[], scratch: 0 };
    // Which of the values that are no numbers it is, Rust leaves to the compiler.
    let one = |y: &f32| if y.is_nan() { f32::NAN.to_bits() } else { y.to_bits() };
    let bits = |got: &[Vec<f32>]| got[0].iter().map(one).collect::<Vec<_>>();
    let (want, compared) = (RefCell::new(HashMap::new()), Cell::new(0));
    let function = Function::<E, N>(PhantomData);
    call.run(
        |step, y, x, _| function.call(step, y, x),
        |level, got| drop(want.borrow_mut().insert(level.to_string(), bits(got))),
    );
    let function = Function::<B, N>(PhantomData);
    call.run(
        |step, y, x, _| function.call(step, y, x),
        |level, got| {
            assert!(want.borrow()[level] == bits(got), "{name} {level}");
            compared.set(compared.get() + 1);
        },
    );
    assert!(compared.get() > 0, "{name}");
}

/// Infinite where an `f32` is.
pub fn in_range(x: f64) -> f64 {
    if (x as f32).is_infinite() { x.signum() * f64::INFINITY } else { x }
}

/// `a·b`, 0 where `a` is.
pub fn times(a: f64, b: f64) -> f64 {
    if a == 0.0 { 0.0 } else { a * b }
}

/// `|log |x||`, where that is finite, of an `f32`.
pub fn log_size(x: f64) -> f64 {
    if x.is_finite() && x != 0.0 { x.abs().ln().abs() } else { 0.0 }
}

/// The density of the normal distribution.
pub fn density(x: f64) -> f64 {
    (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt()
}

/// Evenly from `from` to `to`, not within a step of the `kinks`, where a function has no
/// derivative and PyTorch chooses one.
pub fn points(from: f64, to: f64, kinks: &[f64]) -> Vec<f64> {
    let points = (0..=61).map(|i| from + (to - from) * f64::from(i) / 61.0);
    points.filter(|x| kinks.iter().all(|kink| (x - kink).abs() > 3.0 * STEP)).collect()
}

const STEP: f64 = 1.0 / 1024.0;

/// Differences of the fourth order are off by `h⁴/30 · |f⁽⁵⁾| < 3.1e-14 · |f⁽⁵⁾|` and by
/// `3 · 2^-52 · |f| / h < 7e-13 · |f|`: with fifth derivatives below 3e4, as here (those of the
/// logarithm at 0.25 are the largest), by 1e-9.
pub fn check_derivative(
    name: &str,
    points: Vec<f64>,
    f: impl Fn(f64) -> f64,
    grad: impl Fn(f64, f64) -> f64,
) {
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
