//! Values stored in bf16.

use gradiron::ops::convert::{Convert, floats};

use crate::harness::*;

/// The bf16 that is nearest, the even one of two, by comparing distances.
fn nearest(x: f32) -> f32 {
    let below = x.to_bits() & 0xffff_0000;
    let [low, high] = [below, below.wrapping_add(0x1_0000)].map(f32::from_bits);
    let [near_low, near_high] = [low, high].map(|y| (f64::from(y) - f64::from(x)).abs());
    let odd = below & 0x1_0000 != 0;
    if near_low < near_high || (near_low == near_high && !odd) { low } else { high }
}

#[test]
fn back_and_forth() {
    for len in SIZES.into_iter().chain([0, 16_384, 16_385, 100_001]) {
        let mut x = Rng(16).floats(len);
        x.iter_mut().enumerate().for_each(|(i, x)| *x *= 2f32.powi(i as i32 % 40 - 20));
        let want: Vec<_> = x.iter().map(|&x| nearest(x)).collect();
        let outputs = [floats(len), len];
        let call = Call { outputs: &outputs, inputs: &[&x], indices: &[], scratch: 0 };
        call.run(
            |step, y, x, _| {
                step.narrow(y[0], x[0]);
                step.widen(y[1], y[0]);
            },
            |level, y| assert_eq!(y[1], want, "{level}, {len} values"),
        );
    }
}

#[test]
fn zeros_infinities_and_nan() {
    let x = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::from_bits(1), f32::NAN];
    let want = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::INFINITY, 0.0];
    let outputs = [floats(x.len()), x.len()];
    let call = Call { outputs: &outputs, inputs: &[&x], indices: &[], scratch: 0 };
    call.run(
        |step, y, x, _| {
            step.narrow(y[0], x[0]);
            step.widen(y[1], y[0]);
        },
        |level, y| {
            let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&y[1][..6]), bits(&want), "{level}");
            assert!(y[1][6].is_nan(), "{level}");
        },
    );
}
