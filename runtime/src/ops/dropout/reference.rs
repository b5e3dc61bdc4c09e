//! Naive dropout in `f64`.

use super::{DropoutSpec, GROUP, stream};
use crate::device::Random;
use crate::rng::block;

/// `dropout` number `call` of a step, plain.
pub fn dropout(y: &mut [f64], x: &[f64], random: Random, call: u32, spec: DropoutSpec) {
    for (i, (y, x)) in y.iter_mut().zip(x).enumerate() {
        let (group, lane, of) = (i / GROUP, i % GROUP / 16, i % 16);
        let words = block(random.seed, stream(random, call), (16 * group + of) as u64);
        let kept = u64::from(words[lane]) >= spec.threshold();
        *y = if kept { x / (1.0 - f64::from(spec.p)) } else { 0.0 };
    }
}
