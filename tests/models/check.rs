//! Gradients against central differences of the values.
//!
//! Let `L(θ) = Σ seed · result` over all results, summed in f64, and `θ` all parameters and float
//! inputs in one vector. For a direction `v` of signs,
//!
//! ```text
//! D(h) = (L(θ + hv) − L(θ − hv)) / 2h = g·v + c h² + O(h⁴)
//! R(h) = (4 D(h) − D(2h)) / 3        = g·v + O(h⁴)
//! ```
//!
//! `θ` is rounded to multiples of 2⁻¹⁴ and lies within ±8, and `h` is 2⁻⁵ … 2⁻¹⁰, so that `θ ± hv`
//! are exact in f32 and only the evaluations of `L` are rounded.
//!
//! An evaluation rounds every intermediate value `t` by a factor of 1 + δ, |δ| ≤ u = 2⁻²⁴. To first
//! order that moves `L` by `Σ δ t ∂L/∂t`; over one layer of values, `Σ |t ∂L/∂t|` has a size like
//! that over the first and the last one, which is known: `C = Σ |θ ∂L/∂θ| + Σ |seed · result|`. The
//! signs of roundings are as good as random, so [`ROUNDINGS`] layers of them move the value by
//! `ε = √ROUNDINGS u C`. `D(h)` is then off by `ε / h`, and `R(h)` by
//! `(4 + 1/2) ε / 3h = 1.5 ε / h`: the tolerance at `h`. Nothing is granted for `O(h⁴)`: a right
//! gradient meets the tolerance at some `h` that is small enough, a wrong one at none.
//!
//! Neither is anything granted for kinks (of `relu`, `max`) between `θ − 2hv` and `θ + 2hv`. A `v`
//! that moves all variables may cross one at every `h`; then half of its coordinates are set to 0,
//! and so on. Single coordinates are compared besides, and each must agree.

use gradiron::rng::Rng;

use crate::data::{bits, weighed};

/// Roundings in a row from an input to a result, at most.
const ROUNDINGS: f64 = 64.0;
const UNIT: f64 = 1.0 / (1 << 24) as f64;
const DIRECTIONS: usize = 6;
/// All coordinates are compared one by one up to this many, and as many drawn ones beyond.
const COORDINATES: usize = 150;

/// The results of one function by its three passes.
pub struct Ran<'a> {
    pub inferred: &'a [f32],
    pub trained: &'a [f32],
    pub again: &'a [f32],
}

impl Ran<'_> {
    /// `Σ |seed · result|`.
    ///
    /// # Panics
    /// When the passes disagree in a bit.
    pub fn size(&self, seeds: &[f32]) -> f64 {
        assert_eq!(bits(self.inferred), bits(self.trained), "inference and the training forward");
        assert_eq!(bits(self.trained), bits(self.again), "with and without inputs' gradients");
        weighed(seeds, self.trained).1
    }
}

/// Rounds to multiples of 2⁻¹⁴.
pub fn exact(x: f32) -> f32 {
    (x * 16384.0).round() / 16384.0
}

/// Compares `gradient` with differences of `value` around `at`; `size` is `Σ |seed · result|`.
///
/// # Panics
/// When they disagree, or when the tolerance would let a wrong gradient pass.
pub fn check(
    name: &str,
    at: &[f32],
    gradient: &[f32],
    size: f64,
    mut value: impl FnMut(&[f32]) -> f64,
) {
    assert_eq!(at.len(), gradient.len(), "{name}: a gradient for each variable");
    assert!(gradient.iter().all(|g| g.is_finite()), "{name}: {gradient:?}");
    assert!(at.iter().all(|x| *x == exact(*x) && x.abs() < 8.0), "{name}: {at:?}");
    let condition: f64 = at.iter().zip(gradient).map(|(x, g)| f64::from(x * g).abs()).sum();
    let noise = ROUNDINGS.sqrt() * UNIT * (condition + size);
    let mut rng = Rng::new(gradiron::Seed(17), 0);
    let mut moved = at.to_vec();
    let mut difference = |direction: &[f32], h: f32| {
        let mut at_step = |step: f32| {
            for ((moved, x), v) in moved.iter_mut().zip(at).zip(direction) {
                *moved = x + step * v;
            }
            value(&moved)
        };
        (at_step(h) - at_step(-h)) / (2.0 * f64::from(h))
    };
    let mut compare = |direction: &[f32]| {
        let slopes = gradient.iter().zip(direction);
        let expected: f64 = slopes.map(|(g, v)| f64::from(*g) * f64::from(*v)).sum();
        let mut seen = Vec::new();
        for k in 5..=10 {
            let h = (0.5_f32).powi(k);
            let found = (4.0 * difference(direction, h) - difference(direction, 2.0 * h)) / 3.0;
            let tolerance = 1.5 * noise / f64::from(h);
            if (found - expected).abs() <= tolerance {
                return Ok((expected.abs(), tolerance));
            }
            seen.push((found, tolerance));
        }
        Err(format!("the gradient says {expected}, differences (± tolerance) {seen:?}"))
    };

    let (mut slopes, mut tolerances) = (0.0, 0.0);
    for d in 0..DIRECTIONS {
        let sign = |word: u32| if word.is_multiple_of(2) { 1.0 } else { -1.0 };
        let mut direction: Vec<f32> = at.iter().map(|_| sign(rng.next_u32())).collect();
        let (slope, tolerance) = loop {
            match compare(&direction) {
                Ok(agreed) => break agreed,
                Err(text) if direction.iter().filter(|v| **v != 0.0).count() <= 2 => {
                    panic!("{name}, direction {d}: {text}")
                }
                Err(_) => {
                    let moving = direction.iter_mut().filter(|v| **v != 0.0);
                    moving.step_by(2).for_each(|v| *v = 0.0);
                    rng.shuffle(&mut direction);
                }
            }
        };
        slopes += slope;
        tolerances += tolerance;
    }
    // A tolerance as large as the slopes would prove nothing.
    assert!(tolerances < 0.02 * slopes, "{name}: slopes {slopes}, but tolerances {tolerances}");
    let coordinates: Vec<usize> = match at.len() {
        n if n <= COORDINATES => (0..n).collect(),
        n => (0..COORDINATES).map(|_| rng.below(n)).collect(),
    };
    for i in coordinates {
        let mut unit = vec![0.0; at.len()];
        unit[i] = 1.0;
        if let Err(text) = compare(&unit) {
            panic!("{name}, variable {i} of {}: {text}", at.len());
        }
    }
}

#[test]
fn a_wrong_gradient_is_found() {
    let at: Vec<f32> = (0..10).map(|i| exact(0.1 * i as f32 - 0.37)).collect();
    let value = |x: &[f32]| x.iter().map(|x| f64::from(x.sin())).sum();
    let gradient: Vec<f32> = at.iter().map(|x| x.cos()).collect();
    let size = at.iter().map(|x| f64::from(x.sin()).abs()).sum();
    check("sin", &at, &gradient, size, value);
    for i in 0..10 {
        let mut wrong = gradient.clone();
        wrong[i] *= 1.01;
        let outcome = std::panic::catch_unwind(|| check("wrong", &at, &wrong, size, value));
        assert!(outcome.is_err(), "a derivative of {} instead of {}", wrong[i], gradient[i]);
    }
}
