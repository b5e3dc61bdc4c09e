//! The gradients of attention: a head of the keys at a time, with all queries that read it.

use super::AttentionSpec;
use super::block::{Block, Transposed, multiply};
use super::cpu::{BLOCK, Operand, Operands, Rows, Scores};
use crate::math::{self, SimdLevel, simd};

/// The gradients of a call, and that of its result.
#[derive(Clone, Copy)]
pub(super) struct Gradients {
    pub d_q: Operand,
    pub d_k: Operand,
    pub d_v: Operand,
    pub d_y: Operand,
}

/// The gradients of a head of keys and values, and of all queries that read them.
///
/// # Safety
/// The operands have the sizes of `spec`, and these gradients are lent to write.
pub(super) unsafe fn head_grad(
    level: SimdLevel,
    o: &Operands,
    g: &Gradients,
    [b, kv]: [usize; 2],
    spec: &AttentionSpec,
) {
    let (dim, group) = (spec.dim, spec.heads / spec.kv_heads);
    let (mut p, mut d_s) = ([0.0; BLOCK * BLOCK], [0.0; BLOCK * BLOCK]);
    let (mut keys, mut values) = (Transposed::new(), Transposed::new());
    for j in (0..spec.keys).step_by(BLOCK) {
        let all = BLOCK.min(spec.keys - j);
        let (k, v) = (o.k.rows(b, kv, j), o.v.rows(b, kv, j));
        let (d_k, d_v) = (g.d_k.rows(b, kv, j), g.d_v.rows(b, kv, j));
        for row in 0..all {
            // SAFETY: `row` is below the keys of the block, so these are rows of gradients with the sizes of
            // `spec`, which the caller lends; each slice ends before the next begins.
            unsafe {
                std::slice::from_raw_parts_mut(d_k.at.add(row * d_k.row), dim).fill(0.0);
                std::slice::from_raw_parts_mut(d_v.at.add(row * d_v.row), dim).fill(0.0);
            }
        }
        for (h, i) in (kv * group..(kv + 1) * group)
            .flat_map(|h| (0..spec.queries).step_by(BLOCK).map(move |i| (h, i)))
        {
            let m = BLOCK.min(spec.queries - i);
            let n = spec.seen(i + m, j, all);
            if n == 0 {
                continue;
            }
            let (q, y, d_y) = (o.q.rows(b, h, i), o.y.rows(b, h, i), g.d_y.rows(b, h, i));
            let (d_q, lse) = (g.d_q.rows(b, h, i), o.lse.rows(b, h, i));
            let block = Block::new(o.mask, [b, h, i, j], [m, n], spec);
            // SAFETY: `m` queries from `i` on and `all` keys from `j` on exist, so their rows are those of
            // operands with the sizes of `spec`, which the caller promises; `n` is at most `all`. The rows
            // of gradients are lent to write.
            unsafe {
                // All keys of the block, of which these queries may see the first `n`.
                keys.scores(level, &mut p, q, k, [m, all, dim]);
                values.scores(level, &mut d_s, d_y, v, [m, all, dim]);
                score_grad(level, (&mut p, &mut d_s), block, [y, d_y, lse], (dim, spec.scale));
                let of_keys = |x: &Scores| (x.as_ptr(), 1, BLOCK);
                multiply(level, (d_v, true), of_keys(&p), d_y, [n, dim, m]);
                multiply(level, (d_k, true), of_keys(&d_s), q, [n, dim, m]);
                multiply(level, (d_q, j > 0), (d_s.as_ptr(), BLOCK, 1), k, [m, dim, n]);
            }
        }
    }
}

simd! {
    /// `p` of products, and `d_s` of `d_p`, times `factor`.
    ///
    /// # Safety
    /// As many rows as the block has are there to read: of the mask, of `y` and `d_y` with so many
    /// floats, and of `lse` one number each.
    pub(super) unsafe fn score_grad<A>(
        of: (&mut Scores, &mut Scores),
        block: Block,
        rows: [Rows; 3],
        to: (usize, f32),
    ) {
        let ((p, d_s), [y, d_y, lse], (dim, factor)) = (of, rows, to);
        for row in 0..block.rows {
            let p = &mut p[row * BLOCK..][..block.cols];
            let d_s = &mut d_s[row * BLOCK..][..block.cols];
            // SAFETY: the caller lends `block.rows` rows of the mask and of each of these.
            let (y, d_y, lse) = unsafe {
                block.finish(p, row);
                (
                    std::slice::from_raw_parts(y.at.add(row * y.row), dim),
                    std::slice::from_raw_parts(d_y.at.add(row * d_y.row), dim),
                    *lse.at.add(row),
                )
            };
            let mut sums = [0.0; 16];
            let (ys, d_ys) = (y.chunks_exact(16), d_y.chunks_exact(16));
            for (sum, (y, d_y)) in sums.iter_mut().zip(ys.remainder().iter().zip(d_ys.remainder()))
            {
                *sum = y * d_y;
            }
            for (y, d_y) in ys.zip(d_ys) {
                for l in 0..16 {
                    sums[l] = A::mul_add(y[l], d_y[l], sums[l]);
                }
            }
            let mean: f32 = sums.iter().sum();
            for (p, d_s) in p.iter_mut().zip(d_s) {
                *p = math::exp::<A>(*p - lse);
                // Nothing reaches a key that is not seen, also when the rest is not finite.
                *d_s = if *p == 0.0 { 0.0 } else { *p * (*d_s - mean) * factor };
            }
        }
    }
}
