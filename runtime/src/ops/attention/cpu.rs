//! Attention on the CPU, in blocks of [`BLOCK`] queries and keys, whose scores are in cache. A
//! thread takes a block of queries at a time, in the backward pass a head of the keys with all its
//! queries, so that nobody else adds to the same gradients.

use super::careful;
use super::few::{FEW, few_queries};
use super::grad::{Gradients, head_grad};
use super::mask_grad::MaskGrad;
use super::views::{check_inside, check_rows_apart, check_views_apart};
use super::{Attention, AttentionSpec, Given, Strides, View};
use crate::device::{Buf, CpuKernels};
use crate::math::{self, SimdLevel, simd};
use crate::ops::matmul::pack::{Part, pack};
use crate::ops::matmul::{Panel, Tiling};
use crate::ops::reduce::{Max, Sum, fold_row};
use crate::ops::{check_apart, product, sum};

/// Queries and keys of a block.
pub(super) const BLOCK: usize = 64;
/// The most columns of a block of keys that are transposed at a time.
const DEPTH: usize = 128;

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

// SAFETY: an operand is a pointer and its strides. Threads read operands, and write only rows that are
// theirs alone: `views::check` found that rows which are written are apart from all others.
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
        Operand { start: self.read(view.buf).cast_mut(), strides: view.strides }
    }

    /// The same, to write; no two rows of it share a float.
    fn operand_mut(&self, view: View, sizes: [usize; 4]) -> Operand {
        check_inside(view, sizes);
        check_rows_apart(view, sizes);
        Operand { start: self.written(view.buf), strides: view.strides }
    }

    fn given(&self, given: Given, y: Operand, lse: Operand, spec: &AttentionSpec) -> Operands {
        let of_keys = [spec.batch, spec.kv_heads, spec.keys, spec.dim];
        let of_scores = [spec.batch, spec.heads, spec.queries, spec.keys];
        Operands {
            q: self.operand(given.q, spec.of_queries()),
            k: self.operand(given.k, of_keys),
            v: self.operand(given.v, of_keys),
            mask: given.mask.map(|mask| self.operand(mask, of_scores)),
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

impl Given {
    fn bufs(&self) -> [Buf; 4] {
        let mask = self.mask.map_or(self.q.buf.part(0, 0), |mask| mask.buf);
        [self.q.buf, self.k.buf, self.v.buf, mask]
    }
}

impl Attention for CpuKernels<'_> {
    fn attention(&mut self, y: View, lse: Buf, given: Given, spec: AttentionSpec) {
        if spec.is_empty() {
            return;
        }
        let spec = spec.checked();
        check_apart(&[y.buf, lse], &given.bufs());
        check_apart(&[y.buf], &[lse]);
        let to_y = self.operand_mut(y, spec.of_queries());
        let start = match lse.len {
            0 => std::ptr::null_mut(),
            _ => self.operand_mut(View { buf: lse, strides: spec.by_query() }, spec.of_lse()).start,
        };
        let operands = self.given(given, to_y, Operand { start, strides: spec.by_query() }, &spec);
        let (threads, level) = (self.threads(), self.level());
        let blocks = spec.queries.div_ceil(BLOCK);
        threads.run_if(product([4, spec.work()]), spec.batch * spec.heads * blocks, &|unit| {
            // Those that see the most keys first.
            let (block, rest) = (blocks - 1 - unit % blocks, unit / blocks);
            let at = [rest / spec.heads, rest % spec.heads, block * BLOCK];
            let few = spec.queries <= FEW;
            let queries = if few { few_queries } else { queries };
            // SAFETY: `operand` checked that the operands have the sizes of `spec`, and `operand_mut` that
            // rows of `y` and `lse` are apart, so nothing but this unit writes these; `check_apart` that
            // nothing of them is read. There are at most `FEW` queries for `few_queries`.
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
        given: Given,
        spec: AttentionSpec,
    ) {
        if spec.is_empty() {
            return;
        }
        let spec = spec.checked();
        let [q, k, v, mask] = given.bufs();
        check_apart(&d_qkv.map(|view| view.buf), &[q, k, v, mask, d_y.buf, y.buf, lse]);
        let of_keys = [spec.batch, spec.kv_heads, spec.keys, spec.dim];
        let d_q = self.operand_mut(d_qkv[0], spec.of_queries());
        check_views_apart(d_qkv, [spec.of_queries(), of_keys, of_keys]);
        let d_kv = [d_qkv[1], d_qkv[2]].map(|view| self.operand_mut(view, of_keys));
        let d_y = self.operand(d_y, spec.of_queries());
        let y = self.operand(y, spec.of_queries());
        let lse = self.operand(View { buf: lse, strides: spec.by_query() }, spec.of_lse());
        let operands = self.given(given, y, lse, &spec);
        let (threads, level) = (self.threads(), self.level());
        let gradients = Gradients { d_q, d_k: d_kv[0], d_v: d_kv[1], d_y };
        threads.run_if(product([10, spec.work()]), spec.batch * spec.kv_heads, &|unit| {
            let at = [unit / spec.kv_heads, unit % spec.kv_heads];
            // SAFETY: `operand` checked that the operands have the sizes of `spec`, `check_apart` that no
            // gradient is read, and `operand_mut` and `check_views_apart` that rows of gradients are
            // apart: those of this head of the keys, and of the queries that read it, are this unit's.
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
        given: Given,
        spec: AttentionSpec,
    ) {
        let Some(View { strides, .. }) = given.mask.filter(|_| !spec.is_empty()) else { return };
        let spec = spec.checked();
        let [q, k, v, mask] = given.bufs();
        check_apart(&[d_mask], &[q, k, v, mask, d_y.buf, y.buf, lse]);
        let distinct = strides.distinct([spec.batch, spec.heads, spec.queries]);
        let [batch, heads, rows] = distinct;
        let of_mask = [batch, heads, rows, spec.keys];
        let d_mask = self.operand_mut(View { buf: d_mask, strides }, of_mask);
        let [d_y, y] = [d_y, y].map(|view| self.operand(view, spec.of_queries()));
        let lse = self.operand(View { buf: lse, strides: spec.by_query() }, spec.of_lse());
        let operands = self.given(given, y, lse, &spec);
        let (threads, level) = (self.threads(), self.level());
        let grad = MaskGrad { d_y, d_mask, distinct };
        threads.run_if(product([4, spec.work()]), grad.blocks(&spec), &|unit| {
            // SAFETY: `operand` checked that the operands have the sizes of `spec`, `check_apart` that
            // nothing of `d_mask` is read, and `operand_mut` that its rows are apart, so this block of it
            // is this unit's.
            unsafe { grad.block(level, &operands, unit, &spec) };
        });
    }
}

impl AttentionSpec {
    fn of_lse(&self) -> [usize; 4] {
        [self.batch, self.heads, self.queries, 1]
    }
}

/// `c [m, n] (+)= a [m, k] · b [k, n]`, where `a` is in place and rows of `b` are contiguous.
///
/// # Safety
/// The ranges are lent, that of `c` to write; `a_row` or `a_k` is 1.
pub(super) unsafe fn multiply(
    level: SimdLevel,
    (c, accumulate): (Rows, bool),
    (a, a_row, a_k): (*const f32, usize, usize),
    b: Rows,
    [m, n, k]: [usize; 3],
) {
    let tiling = Tiling::of(level);
    let each = tiling.panel_rows(m);
    for row in (0..m).step_by(each) {
        // SAFETY: rows `row..row + each`, cut at `m`, of `a` and `c`, and all of `b`, are lent by the
        // caller; `panel_rows` is at most `Tiling::rows`.
        unsafe {
            Panel {
                rows: each.min(m - row),
                cols: n,
                k,
                a: a.add(row * a_row),
                a_row,
                a_k,
                b: b.at,
                b_row: b.row,
                b_panel: tiling.cols,
                c: c.at.add(row * c.row),
                c_row: c.row,
                accumulate,
            }
            .run(level);
        }
    }
}

/// Columns of a block of rows as rows of [`BLOCK`] floats.
pub(super) struct Transposed {
    floats: [f32; DEPTH * BLOCK],
    holds: Option<(Rows, usize)>,
}

impl Transposed {
    pub(super) fn new() -> Self {
        Self { floats: [0.0; DEPTH * BLOCK], holds: None }
    }

    /// `c [m, n] = a [m, dim] · b [n, dim]ᵀ`; the transposed form of `b` is kept for the next call
    /// where all of it has room.
    ///
    /// # Safety
    /// The rows of `a` and `b` are there to read, at most [`BLOCK`] of each.
    pub(super) unsafe fn scores(
        &mut self,
        level: SimdLevel,
        c: &mut Scores,
        a: Rows,
        b: Rows,
        [m, n, dim]: [usize; 3],
    ) {
        let c = Rows { at: c.as_mut_ptr(), row: BLOCK };
        for from in (0..dim).step_by(DEPTH) {
            let depth = DEPTH.min(dim - from);
            let floats = self.floats.as_mut_ptr();
            // SAFETY: columns `from..from + depth` of the rows, which the caller lends; `floats` has room for
            // `DEPTH` columns of `BLOCK` rows, a multiple of the lanes, and `c` for `BLOCK` rows of
            // `BLOCK`; `m` and `n` are at most that.
            unsafe {
                if self.holds != Some((b, from)) {
                    let part = Part { data: b.at.add(from), row: b.row, col: 1 };
                    pack(level, (floats, BLOCK), part, (n, depth));
                    self.holds = Some((b, from));
                }
                let b = Rows { at: floats, row: BLOCK };
                let a = (a.at.add(from).cast_const(), a.row, 1);
                multiply(level, (c, from > 0), a, b, [m, n, depth]);
            }
        }
    }
}

/// A block of scores: its queries and keys, and what is added to them.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) scale: f32,
    /// Of the first query and key, where there is one.
    pub(super) mask: Option<Rows>,
    /// How many keys the first query sees, of which the first are before the block; the next query
    /// sees one more.
    pub(super) sees: Option<(usize, usize)>,
}

impl Block {
    pub(super) fn new(
        mask: Option<Operand>,
        [b, h, i, j]: [usize; 4],
        [rows, cols]: [usize; 2],
        spec: &AttentionSpec,
    ) -> Self {
        let mask = mask.map(|mask| {
            let rows = mask.rows(b, h, i);
            Rows { at: rows.at.wrapping_add(j), ..rows }
        });
        // All queries see all keys of a block below the diagonal.
        let sees = spec.causal.map(|offset| (i + 1 + offset, j));
        let sees = sees.filter(|(sees, before)| *sees < before + cols);
        Self { rows, cols, scale: spec.scale, mask, sees }
    }

    /// Turns products into scores.
    ///
    /// # Safety
    /// The rows of the mask are there to read.
    #[inline(always)]
    pub(super) unsafe fn finish(&self, scores: &mut [f32], row: usize) {
        scores.iter_mut().for_each(|s| *s *= self.scale);
        if let Some(mask) = self.mask {
            // SAFETY: the caller lends row `row` of the mask, with a float for each score.
            let mask =
                unsafe { std::slice::from_raw_parts(mask.at.add(row * mask.row), scores.len()) };
            // A key that is not seen may be anything.
            let masked =
                |s: f32, mask: f32| if mask == f32::NEG_INFINITY { mask } else { s + mask };
            scores.iter_mut().zip(mask).for_each(|(s, &mask)| *s = masked(*s, mask));
        }
        if let Some((sees, before)) = self.sees {
            let hidden = scores.len().min((sees + row).saturating_sub(before));
            scores[hidden..].fill(f32::NEG_INFINITY);
        }
    }
}

/// What is carried of each row of a block of queries.
pub(super) struct Carried {
    max: [f32; BLOCK],
    sum: [f64; BLOCK],
}

impl Carried {
    pub(super) fn new() -> Self {
        Self { max: [f32::NEG_INFINITY; BLOCK], sum: [0.0; BLOCK] }
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
        // SAFETY: `m` queries from `i` on and `n` keys from `j` on exist, so their rows are those of operands
        // with the sizes of `spec`, which the caller promises; these rows of `y` are lent to write.
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

simd! {
    /// A block of products as exponentials of scores, and what was summed up before in their terms.
    ///
    /// # Safety
    /// The rows of `y`, of so many floats, are lent to write, and those of the mask to read, as many as
    /// the block has.
    pub(super) unsafe fn carry<A>(
        scores: &mut [f32],
        carried: &mut Carried,
        block: Block,
        y: (Rows, usize, bool),
    ) {
        let (y, dim, first) = y;
        for row in 0..block.rows {
            let scores = &mut scores[row * BLOCK..][..block.cols];
            // SAFETY: the caller lends `block.rows` rows of the mask, of `block.cols` floats.
            unsafe { block.finish(scores, row) };
            let (old, new) = (carried.max[row], fold_row::<Max>(scores) as f32);
            let max = if new > old || new.is_nan() { new } else { old };
            // A query that has seen no key yet.
            let base = if max == f32::NEG_INFINITY { 0.0 } else { max };
            scores.iter_mut().for_each(|s| *s = math::exp::<A>(*s - base));
            let factor = math::exp::<A>(old - base);
            let sum = fold_row::<Sum>(scores);
            carried.sum[row] = carried.sum[row] * f64::from(factor) + sum;
            carried.max[row] = max;
            if !first && factor != 1.0 {
                // SAFETY: the caller lends `block.rows` rows of `y`, of `dim` floats, to write.
                let y = unsafe { std::slice::from_raw_parts_mut(y.at.add(row * y.row), dim) };
                y.iter_mut().for_each(|y| *y *= factor);
            }
        }
    }
}

simd! {
    /// The sums by their weights, and `lse`.
    ///
    /// # Safety
    /// `rows` rows of `y`, of so many floats, are lent to write, and so many numbers of `lse` unless it is
    /// without.
    pub(super) unsafe fn divide<A>(
        carried: &Carried,
        y: (Rows, usize),
        lse: Rows,
        rows: usize,
        without_lse: bool,
    ) {
        let (y, dim) = y;
        for row in 0..rows {
            let (max, sum) = (carried.max[row], carried.sum[row] as f32);
            let is_blind = max == f32::NEG_INFINITY;
            // SAFETY: the caller lends `rows` rows of `y`, of `dim` floats, to write.
            let y = unsafe { std::slice::from_raw_parts_mut(y.at.add(row * y.row), dim) };
            match is_blind {
                true => y.fill(0.0),
                false => {
                    let weight = 1.0 / sum;
                    y.iter_mut().for_each(|y| *y *= weight);
                }
            }
            if !without_lse {
                let value = if is_blind { f32::INFINITY } else { max + math::log::<A>(sum) };
                // SAFETY: the caller lends `rows` floats of `lse` to write, unless it is without.
                unsafe { *lse.at.add(row) = value };
            }
        }
    }
}
