//! Naive batch normalisation in `f64`.

use super::BatchNormSpec;

/// Calls `f` with each channel and the places of its elements.
pub fn channels(spec: BatchNormSpec, mut f: impl FnMut(usize, &[usize])) {
    for c in 0..spec.channels {
        let rows = (0..spec.batch).map(|n| (n * spec.channels + c) * spec.inner);
        let places: Vec<usize> = rows.flat_map(|row| row..row + spec.inner).collect();
        f(c, &places);
    }
}

/// The mean and the biased variance of the elements at `places`.
pub fn moments(x: &[f64], places: &[usize]) -> (f64, f64) {
    let n = places.len() as f64;
    let mean = places.iter().map(|&at| x[at]).sum::<f64>() / n;
    (mean, places.iter().map(|&at| (x[at] - mean).powi(2)).sum::<f64>() / n)
}

/// `y = (x − μ) / √(σ² + ε) · w + b`
pub fn batch_norm(y: &mut [f64], x: &[f64], w: &[f64], b: &[f64], spec: BatchNormSpec) {
    channels(spec, |c, places| {
        let (mean, var) = moments(x, places);
        let invstd = 1.0 / (var + f64::from(spec.eps)).sqrt();
        places.iter().for_each(|&at| y[at] = (x[at] - mean) * invstd * w[c] + b[c]);
    });
}

/// `d_w = Σ d_y · (x − mean) · invstd` and `d_b = Σ d_y`
pub fn sums(
    [d_w, d_b]: [&mut [f64]; 2],
    d_y: &[f64],
    x: &[f64],
    [mean, invstd]: [&[f64]; 2],
    spec: BatchNormSpec,
) {
    channels(spec, |c, places| {
        d_w[c] = places.iter().map(|&at| d_y[at] * (x[at] - mean[c]) * invstd[c]).sum();
        d_b[c] = places.iter().map(|&at| d_y[at]).sum();
    });
}

/// The gradient of the input.
pub fn input_grad(d_x: &mut [f64], d_y: &[f64], x: &[f64], w: &[f64], spec: BatchNormSpec) {
    channels(spec, |c, places| {
        let n = places.len() as f64;
        let (mean, var) = moments(x, places);
        let invstd = 1.0 / (var + f64::from(spec.eps)).sqrt();
        let d_b: f64 = places.iter().map(|&at| d_y[at]).sum();
        let d_w: f64 = places.iter().map(|&at| d_y[at] * (x[at] - mean) * invstd).sum();
        for &at in places {
            let normal = (x[at] - mean) * invstd;
            d_x[at] = w[c] * invstd * (d_y[at] - d_b / n - normal * d_w / n);
        }
    });
}
