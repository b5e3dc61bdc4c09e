//! Naive attention in `f64`, with all scores.

use super::{AttentionSpec, Strides};

/// The floats of an operand and where its rows lie.
pub type Rows<'a> = (&'a [f64], Strides);

/// Queries, keys, values and the mask.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The queries.
    pub q: Rows<'a>,
    /// The keys.
    pub k: Rows<'a>,
    /// The values.
    pub v: Rows<'a>,
    /// The additive mask.
    pub mask: Option<Rows<'a>>,
}

fn row<'a>((x, strides): Rows<'a>, [b, h, i]: [usize; 3], dim: usize) -> &'a [f64] {
    &x[strides.at(b, h, i)..][..dim]
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// What is added to the score of a query and a key.
fn mask(inputs: &Inputs, [b, h, i, j]: [usize; 4], spec: &AttentionSpec) -> f64 {
    inputs.mask.map_or(0.0, |mask| row(mask, [b, h, i], spec.keys)[j])
}

/// Whether a query sees a key.
fn sees(inputs: &Inputs, at: [usize; 4], spec: &AttentionSpec) -> bool {
    let [_, _, i, j] = at;
    spec.causal.is_none_or(|offset| j <= i + offset) && mask(inputs, at, spec) != f64::NEG_INFINITY
}

/// `softmax(s)` of a query, zeros where it sees no key; and `lse`.
fn probabilities(inputs: &Inputs, [b, h, i]: [usize; 3], spec: &AttentionSpec) -> (Vec<f64>, f64) {
    let kv = h / (spec.heads / spec.kv_heads);
    let q = row(inputs.q, [b, h, i], spec.dim);
    let score = |j: usize| {
        let product = dot(q, row(inputs.k, [b, kv, j], spec.dim)) * f64::from(spec.scale);
        sees(inputs, [b, h, i, j], spec).then_some(product + mask(inputs, [b, h, i, j], spec))
    };
    let scores: Vec<Option<f64>> = (0..spec.keys).map(score).collect();
    let larger = |max: f64, s: &f64| if *s > max || s.is_nan() { *s } else { max };
    let max = scores.iter().flatten().fold(f64::NEG_INFINITY, larger);
    if max == f64::NEG_INFINITY {
        return (vec![0.0; spec.keys], f64::INFINITY);
    }
    let sum: f64 = scores.iter().flatten().map(|s| (s - max).exp()).sum();
    let p = |s: &Option<f64>| s.map_or(0.0, |s| (s - max).exp() / sum);
    (scores.iter().map(p).collect(), max + sum.ln())
}

/// The queries: sample, head and row.
fn queries(spec: &AttentionSpec) -> impl Iterator<Item = [usize; 3]> + use<> {
    let (heads, queries) = (spec.heads, spec.queries);
    (0..spec.batch * heads * queries)
        .map(move |n| [n / queries / heads, n / queries % heads, n % queries])
}

/// `attention`, plain.
pub fn attention(y: (&mut [f64], Strides), lse: &mut [f64], inputs: Inputs, spec: AttentionSpec) {
    let (y, strides) = y;
    for (n, at @ [b, h, i]) in queries(&spec).enumerate() {
        let (p, log_sum) = probabilities(&inputs, at, &spec);
        lse[n] = log_sum;
        let kv = h / (spec.heads / spec.kv_heads);
        for d in 0..spec.dim {
            let value = |j: usize| row(inputs.v, [b, kv, j], spec.dim)[d];
            let seen = (0..spec.keys).filter(|&j| sees(&inputs, [b, h, i, j], &spec));
            y[strides.at(b, h, i) + d] = seen.map(|j| p[j] * value(j)).sum();
        }
    }
}

/// `attention_grad`, plain; the gradients have the strides of what they are of.
pub fn attention_grad(
    [d_q, d_k, d_v]: [&mut [f64]; 3],
    d_y: Rows,
    inputs: Inputs,
    spec: AttentionSpec,
) {
    let scale = f64::from(spec.scale);
    for at @ [b, h, i] in queries(&spec) {
        let (p, _) = probabilities(&inputs, at, &spec);
        let kv = h / (spec.heads / spec.kv_heads);
        let (q, d_y) = (row(inputs.q, at, spec.dim), row(d_y, at, spec.dim));
        let d_p: Vec<f64> =
            (0..spec.keys).map(|j| dot(d_y, row(inputs.v, [b, kv, j], spec.dim))).collect();
        let seen = || (0..spec.keys).filter(|&j| sees(&inputs, [b, h, i, j], &spec));
        let mean: f64 = seen().map(|j| p[j] * d_p[j]).sum();
        for j in seen() {
            let d_s = p[j] * (d_p[j] - mean) * scale;
            let k = row(inputs.k, [b, kv, j], spec.dim);
            for d in 0..spec.dim {
                d_q[inputs.q.1.at(b, h, i) + d] += d_s * k[d];
                d_k[inputs.k.1.at(b, kv, j) + d] += d_s * q[d];
                d_v[inputs.v.1.at(b, kv, j) + d] += p[j] * d_y[d];
            }
        }
    }
}

/// `attention_mask_grad`, plain; the gradient has the strides of the mask.
pub fn attention_mask_grad(d_mask: &mut [f64], d_y: Rows, inputs: Inputs, spec: AttentionSpec) {
    let Some((_, strides)) = inputs.mask else { return };
    for at @ [b, h, i] in queries(&spec) {
        let (p, _) = probabilities(&inputs, at, &spec);
        let kv = h / (spec.heads / spec.kv_heads);
        let d_y = row(d_y, at, spec.dim);
        let d_p: Vec<f64> =
            (0..spec.keys).map(|j| dot(d_y, row(inputs.v, [b, kv, j], spec.dim))).collect();
        let mean = dot(&p, &d_p);
        for j in 0..spec.keys {
            d_mask[strides.at(b, h, i) + j] += p[j] * (d_p[j] - mean);
        }
    }
}
