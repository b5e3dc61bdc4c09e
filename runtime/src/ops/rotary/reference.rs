//! Naive rotations and encodings in `f64`.

use super::RotarySpec;

/// `rotary`, plain.
pub fn rotary(y: &mut [f64], x: &[f64], s: RotarySpec) {
    let half = s.dim / 2;
    for row in 0..s.outer * s.len * s.inner {
        let position = s.past + row / s.inner % s.len;
        for pair in 0..half {
            let power = -2.0 * pair as f64 / s.dim as f64;
            let angle = position as f64 * f64::from(s.base).powf(power);
            let angle = if s.inverse { -angle } else { angle };
            let [a, b] = if s.interleaved { [2 * pair, 2 * pair + 1] } else { [pair, pair + half] };
            let (x_a, x_b) = (x[row * s.dim + a], x[row * s.dim + b]);
            y[row * s.dim + a] = x_a * angle.cos() - x_b * angle.sin();
            y[row * s.dim + b] = x_b * angle.cos() + x_a * angle.sin();
        }
    }
}

/// `sinusoidal`, plain.
pub fn sinusoidal(y: &mut [f64], dim: usize, base: f32) {
    for (i, y) in y.iter_mut().enumerate() {
        let (position, pair) = (i / dim, i % dim / 2);
        let angle = position as f64 * f64::from(base).powf(-2.0 * pair as f64 / dim as f64);
        *y = if (i % dim).is_multiple_of(2) { angle.sin() } else { angle.cos() };
    }
}
