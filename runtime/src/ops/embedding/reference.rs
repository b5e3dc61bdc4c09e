//! Naive look-ups in `f64`.

use super::EmbeddingSpec;

/// `embedding`, plain.
pub fn embedding(y: &mut [f64], index: &[u32], w: &[f64], spec: EmbeddingSpec) {
    for (i, &row) in index.iter().enumerate() {
        for j in 0..spec.dim {
            y[i * spec.dim + j] = w[row as usize * spec.dim + j];
        }
    }
}

/// The gradient of the table.
pub fn embedding_grad(d_w: &mut [f64], d_y: &[f64], index: &[u32], spec: EmbeddingSpec) {
    d_w.fill(0.0);
    for (i, &row) in index.iter().enumerate() {
        if spec.padding == Some(row as usize) {
            continue;
        }
        for j in 0..spec.dim {
            d_w[row as usize * spec.dim + j] += d_y[i * spec.dim + j];
        }
    }
}
