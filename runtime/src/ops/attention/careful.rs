//! Rows that are not finite, computed once more. Products of blocks multiply what a query does not
//! see with a probability of 0, and 0 times an infinity is NaN; here keys that are not seen are
//! left out.

use super::AttentionSpec;
use super::cpu::{BLOCK, Operands, Rows};
use super::grad::Gradients;
use crate::math::{self, SimdLevel, simd};

/// Whether some query does not see some key.
fn hides(o: &Operands, spec: &AttentionSpec) -> bool {
    o.mask.is_some() || spec.causal.is_some()
}

unsafe fn floats<'a>(rows: Rows, row: usize, dim: usize) -> &'a [f32] {
    // SAFETY: the caller lends row `row`, of `dim` floats, to read.
    unsafe { std::slice::from_raw_parts(rows.at.add(row * rows.row), dim) }
}

unsafe fn floats_mut<'a>(rows: Rows, row: usize, dim: usize) -> &'a mut [f32] {
    // SAFETY: the caller lends row `row`, of `dim` floats, to write, and has no other reference to
    // it.
    unsafe { std::slice::from_raw_parts_mut(rows.at.add(row * rows.row), dim) }
}

simd! {
    fn all_finite<A>(x: &[f32]) -> bool {
        x.iter().fold(true, |finite, x| finite & x.is_finite())
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `to += k · x`
fn add(to: &mut [f32], k: f32, x: &[f32]) {
    to.iter_mut().zip(x).for_each(|(to, x)| *to += k * x);
}

fn exp(x: f32) -> f32 {
    math::exp::<math::PortableArith>(x)
}

/// The score of a query and a key, if that is seen.
///
/// # Safety
/// The operands have the sizes of `spec`.
unsafe fn score(o: &Operands, [b, h, i, j]: [usize; 4], spec: &AttentionSpec) -> Option<f32> {
    let kv = h / (spec.heads / spec.kv_heads);
    if spec.causal.is_some_and(|offset| j > i + offset) {
        return None;
    }
    // SAFETY: query `i` and key `j` are below the numbers of `spec`, whose sizes the operands have.
    unsafe {
        let mask = o.mask.map_or(0.0, |mask| *mask.rows(b, h, i).at.add(j));
        let (q, k) = (o.q.rows(b, h, i), o.k.rows(b, kv, j));
        let product = || dot(floats(q, 0, spec.dim), floats(k, 0, spec.dim));
        (mask != f32::NEG_INFINITY).then(|| product() * spec.scale + mask)
    }
}

/// The rows of a block of queries that are not finite.
///
/// # Safety
/// The operands have the sizes of `spec`; the rows of `y` are lent to write.
pub(super) unsafe fn queries(
    level: SimdLevel,
    o: &Operands,
    [b, h, first]: [usize; 3],
    spec: &AttentionSpec,
) {
    if !hides(o, spec) {
        return;
    }
    let kv = h / (spec.heads / spec.kv_heads);
    for i in first..spec.queries.min(first + BLOCK) {
        // SAFETY: query `i` and keys `j` are below the numbers of `spec`, whose sizes the operands
        // have; the caller lends the rows of `y` of this block, of which one is borrowed at a time.
        unsafe {
            let y = floats_mut(o.y.rows(b, h, i), 0, spec.dim);
            if all_finite(level, y) {
                continue;
            }
            let scores =
                || (0..spec.keys).filter_map(move |j| Some((j, score(o, [b, h, i, j], spec)?)));
            let mut max = f32::NEG_INFINITY;
            for (_, s) in scores() {
                max = if s > max || s.is_nan() { s } else { max };
                if max.is_nan() {
                    break;
                }
            }
            y.fill(0.0);
            if max.is_nan() {
                y.fill(max);
                continue;
            }
            let (mut sum, base) = (0.0, if max == f32::NEG_INFINITY { 0.0 } else { max });
            for (j, s) in scores() {
                let p = exp(s - base);
                sum += p;
                add(y, p, floats(o.v.rows(b, kv, j), 0, spec.dim));
            }
            y.iter_mut().for_each(|y| *y /= sum);
        }
    }
}

/// The probability of a pair, and the gradient of its score.
///
/// # Safety
/// The operands have the sizes of `spec`.
unsafe fn pair(
    o: &Operands,
    g: &Gradients,
    [b, h, i, j]: [usize; 4],
    spec: &AttentionSpec,
) -> Option<(f32, f32)> {
    let kv = h / (spec.heads / spec.kv_heads);
    // SAFETY: query `i` and key `j` are below the numbers of `spec`, whose sizes the operands and
    // gradients have.
    unsafe {
        let s = score(o, [b, h, i, j], spec)?;
        let p = exp(s - *o.lse.rows(b, h, i).at);
        let of_query = |rows: Rows| floats(rows, 0, spec.dim);
        let d_y = of_query(g.d_y.rows(b, h, i));
        let mean = dot(d_y, of_query(o.y.rows(b, h, i)));
        let d_p = dot(d_y, of_query(o.v.rows(b, kv, j)));
        let d_s = if p == 0.0 { 0.0 } else { p * (d_p - mean) * spec.scale };
        Some((p, d_s))
    }
}

/// The rows of the gradients of a head of the keys that are not finite.
///
/// # Safety
/// The operands have the sizes of `spec`; these gradients are lent to write.
pub(super) unsafe fn head_grad(
    level: SimdLevel,
    o: &Operands,
    g: &Gradients,
    [b, kv]: [usize; 2],
    spec: &AttentionSpec,
) {
    if !hides(o, spec) {
        return;
    }
    let (dim, group) = (spec.dim, spec.heads / spec.kv_heads);
    let heads = || kv * group..(kv + 1) * group;
    // SAFETY: queries `i` and keys `j` are below the numbers of `spec`, whose sizes the operands
    // and gradients have; the caller lends the gradients of this head, whose rows are apart, and
    // nothing of them is an operand.
    unsafe {
        for (h, i) in heads().flat_map(|h| (0..spec.queries).map(move |i| (h, i))) {
            let d_q = floats_mut(g.d_q.rows(b, h, i), 0, dim);
            if all_finite(level, d_q) {
                continue;
            }
            d_q.fill(0.0);
            for j in 0..spec.keys {
                if let Some((_, d_s)) = pair(o, g, [b, h, i, j], spec) {
                    add(d_q, d_s, floats(o.k.rows(b, kv, j), 0, dim));
                }
                if d_q.iter().all(|d_q| d_q.is_nan()) {
                    break;
                }
            }
        }
        for j in 0..spec.keys {
            let (d_k, d_v) = (g.d_k.rows(b, kv, j), g.d_v.rows(b, kv, j));
            let (d_k, d_v) = (floats_mut(d_k, 0, dim), floats_mut(d_v, 0, dim));
            if all_finite(level, d_k) && all_finite(level, d_v) {
                continue;
            }
            d_k.fill(0.0);
            d_v.fill(0.0);
            for (h, i) in heads().flat_map(|h| (0..spec.queries).map(move |i| (h, i))) {
                if let Some((p, d_s)) = pair(o, g, [b, h, i, j], spec) {
                    add(d_k, d_s, floats(o.q.rows(b, h, i), 0, dim));
                    add(d_v, p, floats(g.d_y.rows(b, h, i), 0, dim));
                }
                if d_k.iter().chain(&*d_v).all(|d| d.is_nan()) {
                    break;
                }
            }
        }
    }
}
