//! Naive interpolation in `f64`.

use super::{InterpolateMode, InterpolateSpec};

/// The neighbours of output place `i` along an axis of `size` elements, with their weights.
fn neighbours(i: usize, size: usize, scale: usize, mode: InterpolateMode) -> [(usize, f64); 2] {
    let at = match mode {
        InterpolateMode::Nearest => (i / scale) as f64,
        InterpolateMode::Bilinear => ((i as f64 + 0.5) / scale as f64 - 0.5).max(0.0),
        InterpolateMode::BilinearCorners if size == 1 => 0.0,
        InterpolateMode::BilinearCorners => {
            i as f64 * (size - 1) as f64 / (size * scale - 1) as f64
        }
    };
    // Divisions may end a little below a whole number that they stand for.
    let low = ((at + 1e-9).floor() as usize).min(size - 1);
    let weight = (at - low as f64).max(0.0);
    [(low, 1.0 - weight), ((low + 1).min(size - 1), weight)]
}

/// Calls `f(output, input, weight)` for every pair that meets.
fn pairs(spec: InterpolateSpec, mut f: impl FnMut(usize, usize, f64)) {
    let (rows, cols) = (spec.out_height(), spec.out_width());
    for output in 0..spec.output_len() {
        let (plane, i, j) = (output / (rows * cols), output / cols % rows, output % cols);
        for (row, down) in neighbours(i, spec.height, spec.scale[0], spec.mode) {
            for (col, right) in neighbours(j, spec.width, spec.scale[1], spec.mode) {
                if down * right != 0.0 {
                    f(output, (plane * spec.height + row) * spec.width + col, down * right);
                }
            }
        }
    }
}

/// `interpolate`, plain.
pub fn interpolate(y: &mut [f64], x: &[f64], spec: InterpolateSpec) {
    y.fill(0.0);
    pairs(spec, |output, input, weight| y[output] += weight * x[input]);
}

/// The gradient of `interpolate`.
pub fn interpolate_grad(d_x: &mut [f64], d_y: &[f64], spec: InterpolateSpec) {
    d_x.fill(0.0);
    pairs(spec, |output, input, weight| d_x[input] += weight * d_y[output]);
}
