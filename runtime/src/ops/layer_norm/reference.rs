//! Naive normalisation in `f64`.

use super::LayerNormSpec;

/// The mean and `1 / √(σ² + ε)` of a row.
fn stats(x: &[f64], spec: LayerNormSpec) -> (f64, f64) {
    let n = x.len() as f64;
    let mean = if spec.centred { x.iter().sum::<f64>() / n } else { 0.0 };
    let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
    (mean, 1.0 / (variance + f64::from(spec.eps)).sqrt())
}

/// `layer_norm`, plain; an empty `w` or `b` is none.
pub fn layer_norm(y: &mut [f64], x: &[f64], w: &[f64], b: &[f64], spec: LayerNormSpec) {
    for (y, x) in y.chunks_exact_mut(spec.dim).zip(x.chunks_exact(spec.dim)) {
        let (mean, rstd) = stats(x, spec);
        for j in 0..spec.dim {
            let scaled = (x[j] - mean) * rstd * w.get(j).unwrap_or(&1.0);
            y[j] = scaled + b.get(j).unwrap_or(&0.0);
        }
    }
}

/// The gradients of `x`, `w` and `b`.
pub fn layer_norm_grad(
    [d_x, d_w, d_b]: [&mut [f64]; 3],
    d_y: &[f64],
    x: &[f64],
    w: &[f64],
    spec: LayerNormSpec,
) {
    d_w.fill(0.0);
    d_b.fill(0.0);
    let n = spec.dim as f64;
    let rows = d_x.chunks_exact_mut(spec.dim).zip(d_y.chunks_exact(spec.dim));
    for ((d_x, d_y), x) in rows.zip(x.chunks_exact(spec.dim)) {
        let (mean, rstd) = stats(x, spec);
        let hat: Vec<_> = x.iter().map(|x| (x - mean) * rstd).collect();
        let g: Vec<_> = (0..spec.dim).map(|j| d_y[j] * w.get(j).unwrap_or(&1.0)).collect();
        let plain = if spec.centred { g.iter().sum::<f64>() / n } else { 0.0 };
        let along = g.iter().zip(&hat).map(|(g, hat)| g * hat).sum::<f64>() / n;
        for j in 0..spec.dim {
            d_x[j] = rstd * (g[j] - plain - hat[j] * along);
            if let Some(d_w) = d_w.get_mut(j) {
                *d_w += d_y[j] * hat[j];
            }
            if let Some(d_b) = d_b.get_mut(j) {
                *d_b += d_y[j];
            }
        }
    }
}
