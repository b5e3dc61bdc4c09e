//! The gradient of an attention's mask: a block of it at a time, summed over all queries that read it.
//!
//! The scores are computed once more, so the other gradients cost the same whether or not somebody asks
//! for this one, and no two threads add to one element: the order of its sum is that of the samples,
//! heads and queries.

use super::AttentionSpec;
use super::block::{Block, Transposed};
use super::cpu::{BLOCK, Operand, Operands};
use super::grad::score_grad;
use crate::math::SimdLevel;

/// The gradient of a block of the mask.
#[derive(Clone, Copy)]
pub(super) struct MaskGrad {
    pub d_y: Operand,
    pub d_mask: Operand,
    /// The samples, heads and rows of the mask that lie in different places: 1 or all.
    pub distinct: [usize; 3],
}

impl MaskGrad {
    /// The blocks of the mask, for each of which [`block`](Self::block) is called once.
    pub(super) fn blocks(&self, spec: &AttentionSpec) -> usize {
        let [batch, heads, rows] = self.distinct;
        batch * heads * rows.div_ceil(BLOCK) * spec.keys.div_ceil(BLOCK)
    }

    /// # Safety
    /// The operands have the sizes of `spec`, the mask is one of them, and block `unit` of its
    /// gradient is lent to write.
    pub(super) unsafe fn block(
        &self,
        level: SimdLevel,
        o: &Operands,
        unit: usize,
        spec: &AttentionSpec,
    ) {
        let [batch, heads, rows] = self.distinct;
        let (keys, row_blocks) = (spec.keys.div_ceil(BLOCK), rows.div_ceil(BLOCK));
        let (j, unit) = (unit % keys * BLOCK, unit / keys);
        let (row, head) = (unit % row_blocks * BLOCK, unit / row_blocks);
        // What shares the block: one of an axis along which the mask is not repeated, else all.
        let these = |distinct: usize, at: usize, all: usize| match distinct {
            1 => 0..all,
            _ => at..at + 1,
        };
        let (batch, heads) =
            (these(batch, head / heads, spec.batch), these(heads, head % heads, spec.heads));
        let queries = if rows == 1 { 0..spec.queries } else { row..row + 1 };
        let (first, all) = ((batch.start, heads.start), BLOCK.min(spec.keys - j));
        // Floats that are added up in double precision: their error does not grow with their number.
        let mut sums = [0.0_f64; BLOCK * BLOCK];
        let (mut p, mut d_s) = ([0.0; BLOCK * BLOCK], [0.0; BLOCK * BLOCK]);
        let (mut of_keys, mut of_values) = (Transposed::new(), Transposed::new());
        for (b, h) in batch.flat_map(|b| heads.clone().map(move |h| (b, h))) {
            let kv = h / (spec.heads / spec.kv_heads);
            let (k, v) = (o.k.rows(b, kv, j), o.v.rows(b, kv, j));
            for i in queries.clone().step_by(BLOCK) {
                let m = BLOCK.min(spec.queries - i);
                let n = spec.seen(i + m, j, all);
                if n == 0 {
                    continue;
                }
                let (q, y, d_y) = (o.q.rows(b, h, i), o.y.rows(b, h, i), self.d_y.rows(b, h, i));
                let block = Block::new(o.mask, [b, h, i, j], [m, n], spec);
                let rows_of = [y, d_y, o.lse.rows(b, h, i)];
                // SAFETY: `m` queries from `i` on and `all` keys from `j` on exist, so their rows are those of
                // operands with the sizes of `spec`, which the caller promises.
                unsafe {
                    of_keys.scores(level, &mut p, q, k, [m, all, spec.dim]);
                    of_values.scores(level, &mut d_s, d_y, v, [m, all, spec.dim]);
                    score_grad(level, (&mut p, &mut d_s), block, rows_of, (spec.dim, 1.0));
                }
                for at in 0..m {
                    let to = if rows == 1 { 0 } else { at };
                    let (sums, d_s) = (&mut sums[to * BLOCK..][..n], &d_s[at * BLOCK..][..n]);
                    sums.iter_mut().zip(d_s).for_each(|(sum, d)| *sum += f64::from(*d));
                }
            }
        }
        let d_mask = self.d_mask.rows(first.0, first.1, row);
        for at in 0..BLOCK.min(rows - row) {
            // SAFETY: `row + at` is below the rows of the mask that are distinct, and `all` floats from `j` on
            // are below its keys; the caller lends this block of it to write.
            let d_mask =
                unsafe { std::slice::from_raw_parts_mut(d_mask.at.add(at * d_mask.row + j), all) };
            d_mask.iter_mut().zip(&sums[at * BLOCK..]).for_each(|(d, sum)| *d = *sum as f32);
        }
    }
}
