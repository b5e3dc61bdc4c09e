//! Attention on the CPU, in blocks of [`BLOCK`] queries and keys, whose scores are in cache. A
//! thread takes a block of queries at a time, in the backward pass a head of the keys with all its
//! queries, so that nobody else adds to the same gradients.

use super::block::{Block, Carried, Transposed, carry, divide, multiply};
use super::careful;
use super::few::{FEW, few_queries};
use super::grad::{Gradients, head_grad};
use super::mask_grad::MaskGrad;
use super::views::{check_inside, check_rows_apart, check_views_apart};
use super::{Attention, AttentionSpec, Inputs, Strides, View};
use crate::device::{Buf, CpuKernels};
use crate::math::SimdLevel;
use crate::ops::{check_apart, product, sum};

/// Queries and keys of a block.
pub(super) const BLOCK: usize = 64;

pub(super) type Scores = [f32; BLOCK * BLOCK];

/// Rows of an operand: the first, and the distance to the next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) at: *mut f32,
    pub(super) row: usize,
}

/// An operand in memory. Read only, unless it was made of memory to write.
#[derive(Clone, Copy)]
pub(super) struct Operand {
    pub(super) start: *mut f32,
    strides: Strides,
}

// SAFETY: an operand is a pointer and its strides. Threads read operands, and write only rows that
// are theirs alone: `views::check` found that rows which are written are apart from all others.
unsafe impl Sync for Operand {}

impl Operand {
    pub(super) fn rows(&self, batch: usize, head: usize, row: usize) -> Rows {
        let at = self.strides.at(batch, head, row);
        Rows { at: self.start.wrapping_add(at), row: self.strides.row }
    }
}

/// All operands of a call.
#[derive(Clone, Copy)]
pub(super) struct Operands {
    pub(super) q: Operand,
    pub(super) k: Operand,
    pub(super) v: Operand,
    pub(super) mask: Option<Operand>,
    pub(super) y: Operand,
    /// `[batch, heads, queries]`, null where nobody asks for it.
    pub(super) lse: Operand,
}

impl CpuKernels<'_> {
    /// An operand of `sizes`: samples, heads, rows, floats of a row.
    fn operand(&self, view: View, sizes: [usize; 4]) -> Operand {
        check_inside(view, sizes);
        if self.is_observed() {
            self.note(&[view.buf], &[]);
        }
        Operand { start: self.read(view.buf).cast_mut(), strides: view.strides }
    }

    /// The same, to write; no two rows of it share a float.
    fn operand_mut(&self, view: View, sizes: [usize; 4]) -> Operand {
        check_inside(view, sizes);
        check_rows_apart(view, sizes);
        if self.is_observed() {
            self.note(&[], &[view.buf]);
        }
        Operand { start: self.written(view.buf), strides: view.strides }
    }

    fn inputs(&self, inputs: Inputs, y: Operand, lse: Operand, spec: &AttentionSpec) -> Operands {
        let of_keys = [spec.batch, spec.kv_heads, spec.keys, spec.dim];
        let of_scores = [spec.batch, spec.heads, spec.queries, spec.keys];
        Operands {
            q: self.operand(inputs.q, spec.of_queries()),
            k: self.operand(inputs.k, of_keys),
            v: self.operand(inputs.v, of_keys),
            mask: inputs.mask.map(|mask| self.operand(mask, of_scores)),
            y,
            lse,
        }
    }
}

impl AttentionSpec {
    fn of_queries(&self) -> [usize; 4] {
        [self.batch, self.heads, self.queries, self.dim]
    }

    fn is_empty(&self) -> bool {
        [self.batch, self.heads, self.queries, self.keys, self.dim].contains(&0)
    }

    /// The same sizes, fit for the kernels.
    ///
    /// # Panics
    /// When heads do not share those of the keys evenly.
    fn checked(self) -> Self {
        assert!(
            self.kv_heads > 0 && self.heads.is_multiple_of(self.kv_heads),
            "gradiron: {} heads cannot share {} of the keys (a bug)",
            self.heads,
            self.kv_heads,
        );
        // A query that sees all keys sees no more, and places behind the diagonal stay numbers.
        Self { causal: self.causal.map(|offset| offset.min(self.keys)), ..self }
    }

    /// The strides of a number for each query.
    fn by_query(&self) -> Strides {
        Strides { start: 0, batch: self.heads * self.queries, head: self.queries, row: 1 }
    }

    /// How many of the keys `from..from + count` the last of the queries up to `end` sees.
    pub(super) fn seen(&self, end: usize, from: usize, count: usize) -> usize {
        match self.causal {
            Some(offset) => (end + offset).saturating_sub(from).min(count),
            None => count,
        }
    }

    fn work(&self) -> usize {
        product([self.batch, self.heads, self.queries, self.keys, self.dim])
    }
}

impl Inputs {
    fn bufs(&self) -> [Buf; 4] {
        let mask = self.mask.map_or(self.q.buf.part(0, 0), |mask| mask.buf);
        [self.q.buf, self.k.buf, self.v.buf, mask]
    }
}

impl Attention for CpuKernels<'_> {
    fn attention(&mut self, y: View, lse: Buf, inputs: Inputs, spec: AttentionSpec) {
        if spec.is_empty() {
            return;
        }
        let spec = spec.checked();
        check_apart(&[y.buf, lse], &inputs.bufs());
        check_apart(&[y.buf], &[lse]);
        let to_y = self.operand_mut(y, spec.of_queries());
        let start = match lse.len {
            0 => std::ptr::null_mut(),
            _ => self.operand_mut(View { buf: lse, strides: spec.by_query() }, spec.of_lse()).start,
        };
        let operands =
            self.inputs(inputs, to_y, Operand { start, strides: spec.by_query() }, &spec);
        let (threads, level) = (self.threads(), self.level());
        let blocks = spec.queries.div_ceil(BLOCK);
        threads.run_if(product([4, spec.work()]), spec.batch * spec.heads * blocks, &|unit| {
            // Those that see the most keys first.
            let (block, rest) = (blocks - 1 - unit % blocks, unit / blocks);
            let at = [rest / spec.heads, rest % spec.heads, block * BLOCK];
            let few = spec.queries <= FEW;
            let queries = if few { few_queries } else { queries };
            // SAFETY: `operand` checked that the operands have the sizes of `spec`, and
            // `operand_mut` that rows of `y` and `lse` are apart, so nothing but this unit writes
            // these; `check_apart` that nothing of them is read. There are at most `FEW` queries
            // for `few_queries`.
            unsafe {
                queries(level, &operands, at, &spec);
                careful::queries(level, &operands, at, &spec);
            };
        });
    }

    fn append(&mut self, to: [View; 2], from: [View; 2], past: usize, spec: AttentionSpec) {
        let AttentionSpec { batch, kv_heads, keys, dim, .. } = spec;
        if [batch, kv_heads, keys, dim].contains(&0) {
            return;
        }
        for (to, from) in to.into_iter().zip(from) {
            check_inside(to, [batch, kv_heads, sum([past, keys]), dim]);
            check_inside(from, [batch, kv_heads, keys, dim]);
            for (batch, head) in (0..batch).flat_map(|b| (0..kv_heads).map(move |h| (b, h))) {
                for row in 0..keys {
                    let part =
                        |view: View, row| view.buf.part(view.strides.at(batch, head, row), dim);
                    let ([y], [x]) = self.views([part(to, past + row)], [part(from, row)]);
                    y.copy_from_slice(x);
                }
            }
        }
    }

    fn attention_grad(
        &mut self,
        d_qkv: [View; 3],
        [d_y, y]: [View; 2],
        lse: Buf,
        inputs: Inputs,
        spec: AttentionSpec,
    ) {
        if spec.is_empty() {
            return;
        }
        let spec = spec.checked();
        let [q, k, v, mask] = inputs.bufs();
        check_apart(&d_qkv.map(|view| view.buf), &[q, k, v, mask, d_y.buf, y.buf, lse]);
        let of_keys = [spec.batch, spec.kv_heads, spec.keys, spec.dim];
        let d_q = self.operand_mut(d_qkv[0], spec.of_queries());
        check_views_apart(d_qkv, [spec.of_queries(), of_keys, of_keys]);
        let d_kv = [d_qkv[1], d_qkv[2]].map(|view| self.operand_mut(view, of_keys));
        let d_y = self.operand(d_y, spec.of_queries());
        let y = self.operand(y, spec.of_queries());
        let lse = self.operand(View { buf: lse, strides: spec.by_query() }, spec.of_lse());
        let operands = self.inputs(inputs, y, lse, &spec);
        let (threads, level) = (self.threads(), self.level());
        let gradients = Gradients { d_q, d_k: d_kv[0], d_v: d_kv[1], d_y };
        threads.run_if(product([10, spec.work()]), spec.batch * spec.kv_heads, &|unit| {
            let at = [unit / spec.kv_heads, unit % spec.kv_heads];
            // SAFETY: `operand` checked that the operands have the sizes of `spec`, `check_apart`
            // that no gradient is read, and `operand_mut` and `check_views_apart` that rows of
            // gradients are apart: those of this head of the keys, and of the queries that read it,
            // are this unit's.
            unsafe {
                head_grad(level, &operands, &gradients, at, &spec);
                careful::head_grad(level, &operands, &gradients, at, &spec);
            };
        });
    }

    fn attention_mask_grad(
        &mut self,
        d_mask: Buf,
        [d_y, y]: [View; 2],
        lse: Buf,
        inputs: Inputs,
        spec: AttentionSpec,
    ) {
        let Some(View { strides, .. }) = inputs.mask.filter(|_| !spec.is_empty()) else { return };
        let spec = spec.checked();
        let [q, k, v, mask] = inputs.bufs();
        check_apart(&[d_mask], &[q, k, v, mask, d_y.buf, y.buf, lse]);
        let distinct = strides.distinct([spec.batch, spec.heads, spec.queries]);
        let [batch, heads, rows] = distinct;
        let of_mask = [batch, heads, rows, spec.keys];
        let d_mask = self.operand_mut(View { buf: d_mask, strides }, of_mask);
        let [d_y, y] = [d_y, y].map(|view| self.operand(view, spec.of_queries()));
        let lse = self.operand(View { buf: lse, strides: spec.by_query() }, spec.of_lse());
        let operands = self.inputs(inputs, y, lse, &spec);
        let (threads, level) = (self.threads(), self.level());
        let grad = MaskGrad { d_y, d_mask, distinct };
        threads.run_if(product([4, spec.work()]), grad.blocks(&spec), &|unit| {
            // SAFETY: `operand` checked that the operands have the sizes of `spec`, `check_apart`
            // that nothing of `d_mask` is read, and `operand_mut` that its rows are apart, so this
            // block of it is this unit's.
            unsafe { grad.block(level, &operands, unit, &spec) };
        });
    }
}

impl AttentionSpec {
    fn of_lse(&self) -> [usize; 4] {
        [self.batch, self.heads, self.queries, 1]
    }
}

/// `y` and `lse` of a block of queries.
///
/// # Safety
/// The operands have the sizes of `spec`; the rows of `y` and `lse` are lent to write.
unsafe fn queries(level: SimdLevel, o: &Operands, [b, h, i]: [usize; 3], spec: &AttentionSpec) {
    let (m, dim) = (BLOCK.min(spec.queries - i), spec.dim);
    let kv = h / (spec.heads / spec.kv_heads);
    let (q, y) = (o.q.rows(b, h, i), o.y.rows(b, h, i));
    let (mut scores, mut keys) = ([0.0; BLOCK * BLOCK], Transposed::new());
    let mut carried = Carried::new();
    for j in (0..spec.keys).step_by(BLOCK) {
        let n = spec.seen(i + m, j, BLOCK.min(spec.keys - j));
        if n == 0 {
            break;
        }
        let block = Block::new(o.mask, [b, h, i, j], [m, n], spec);
        let first = j == 0;
        // SAFETY: `m` queries from `i` on and `n` keys from `j` on exist, so their rows are those
        // of operands with the sizes of `spec`, which the caller promises; these rows of `y` are
        // lent to write.
        unsafe {
            keys.scores(level, &mut scores, q, o.k.rows(b, kv, j), [m, n, dim]);
            carry(level, &mut scores, &mut carried, block, (y, dim, first));
            let p = (scores.as_ptr(), BLOCK, 1);
            multiply(level, (y, !first), p, o.v.rows(b, kv, j), [m, dim, n]);
        }
    }
    // SAFETY: the same rows of `y`, and of `lse` unless it is null.
    unsafe { divide(level, &carried, (y, dim), o.lse.rows(b, h, i), m, o.lse.start.is_null()) };
}
