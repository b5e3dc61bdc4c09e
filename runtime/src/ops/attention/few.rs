//! Attention of few queries, as the next positions of a sequence are: their keys are read where they
//! lie, since transposing a block for so few rows would take longer than its products.

use super::AttentionSpec;
use super::block::{Block, Carried, carry, divide, multiply};
use super::cpu::{BLOCK, Operands, Rows};
use crate::math::SimdLevel;
use crate::ops::matmul::few::few_rows;

/// The most queries for which that is faster.
pub(super) const FEW: usize = 4;

/// `y` and `lse` of all queries of a head, at most [`FEW`].
///
/// # Safety
/// The operands have the sizes of `spec`; the rows of `y` and `lse` are lent to write.
pub(super) unsafe fn few_queries(
    level: SimdLevel,
    o: &Operands,
    [b, h, i]: [usize; 3],
    spec: &AttentionSpec,
) {
    let (m, dim) = (spec.queries, spec.dim);
    let kv = h / (spec.heads / spec.kv_heads);
    let (q, y) = (o.q.rows(b, h, i), o.y.rows(b, h, i));
    let (mut scores, mut carried) = ([0.0; FEW * BLOCK], Carried::new());
    for j in (0..spec.keys).step_by(BLOCK) {
        let n = spec.seen(i + m, j, BLOCK.min(spec.keys - j));
        if n == 0 {
            break;
        }
        let block = Block::new(o.mask, [b, h, i, j], [m, n], spec);
        let (k, v, first) = (o.k.rows(b, kv, j), o.v.rows(b, kv, j), j == 0);
        let to = (scores.as_mut_ptr(), BLOCK);
        // SAFETY: all `m` queries and `n` keys from `j` on exist, so their rows are those of operands with
        // the sizes of `spec`, which the caller promises; there are at most `FEW` queries, for which
        // `scores` has room, and their rows of `y` are lent to write.
        unsafe {
            let of = |rows: Rows| (rows.at.cast_const(), rows.row);
            few_rows(level, to, of(q), of(k), (m, dim, n));
            carry(level, &mut scores, &mut carried, block, (y, dim, first));
            multiply(level, (y, !first), (scores.as_ptr(), BLOCK, 1), v, [m, dim, n]);
        }
    }
    // SAFETY: the same rows of `y`, and of `lse` unless it is null.
    unsafe { divide(level, &carried, (y, dim), o.lse.rows(b, h, i), m, o.lse.start.is_null()) };
}
