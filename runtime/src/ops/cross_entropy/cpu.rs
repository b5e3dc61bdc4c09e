//! Cross entropy on the CPU.

use super::{CrossEntropy, CrossEntropySpec};
use crate::device::{Buf, CpuKernels, Indices};
use crate::math::{self, Arith, simd};
use crate::ops::nll_loss::check;
use crate::ops::reduce::{COLUMNS, ColumnSums, Fold, Max, fold_row};
use crate::ops::softmax::{EXPS, exp_row};
use crate::ops::{check_len, product};

/// Elements that one thread takes at a time, at least.
const CHUNK: usize = 1 << 12;
/// Into how many parts the positions are cut, at most.
const PARTS: usize = 64;

impl CrossEntropySpec {
    /// The outer positions that one thread takes at a time.
    fn outer_each(&self) -> usize {
        CHUNK.div_ceil(self.slab().max(1)).max(self.outer.div_ceil(PARTS))
    }

    fn slab(&self) -> usize {
        product([self.classes, self.inner])
    }
}

impl CrossEntropy for CpuKernels<'_> {
    fn cross_entropy(&mut self, loss: Buf, logits: Buf, label: Indices, spec: CrossEntropySpec) {
        let (threads, level) = (self.threads(), self.level());
        let label = self.labels(label, spec);
        let ([loss], [logits]) = self.views([loss], [logits]);
        check_len("logits", logits.len(), product([spec.outer, spec.slab()]));
        let (each, slab) = (spec.outer_each(), spec.slab());
        let mut parts = [0.0_f64; PARTS];
        let count = if label.is_empty() { 0 } else { spec.outer.div_ceil(each) };
        threads.split(16 * logits.len(), &mut parts[..count], 1, |i, part| {
            let range = i * each..spec.outer.min((i + 1) * each);
            let logits = &logits[range.start * slab..range.end * slab];
            let label = &label[range.start * spec.inner..range.end * spec.inner];
            part[0] = losses(level, logits, label, spec);
        });
        loss[0] = mean(&parts, spec);
    }

    fn cross_entropy_with_grad(
        &mut self,
        loss: Buf,
        d_logits: Buf,
        logits: Buf,
        label: Indices,
        spec: CrossEntropySpec,
    ) {
        let (threads, level) = (self.threads(), self.level());
        let label = self.labels(label, spec);
        let (loss, d_logits, logits) = if d_logits == logits {
            let ([loss, d_logits], []) = self.views([loss, d_logits], []);
            (loss, d_logits, None)
        } else {
            let ([loss, d_logits], [logits]) = self.views([loss, d_logits], [logits]);
            (loss, d_logits, Some(logits))
        };
        check_len("logits", d_logits.len(), product([spec.outer, spec.slab()]));
        let each = spec.outer_each();
        let mut parts = [0.0_f64; PARTS];
        let len = (each * spec.slab()).max(1);
        let work = 16 * d_logits.len();
        threads.split2(work, (d_logits, len), (&mut parts, 1), |i, x, part| {
            let logits = logits.map_or(&[][..], |logits| &logits[i * len..][..x.len()]);
            part[0] = gradients(level, x, logits, &label[i * each * spec.inner..], spec);
        });
        loss[0] = mean(&parts, spec);
    }

    fn cross_entropy_grad(&mut self, d_logits: Buf, d_loss: Buf, of_one: Buf) {
        let (threads, level) = (self.threads(), self.level());
        if d_logits != of_one {
            let ([d_logits], [d_loss, of_one]) = self.views([d_logits], [d_loss, of_one]);
            let factor = d_loss[0];
            threads.split(d_logits.len(), d_logits, CHUNK, |i, d_logits| {
                d_logits.copy_from_slice(&of_one[i * CHUNK..][..d_logits.len()]);
                scale(level, d_logits, factor);
            });
            return;
        }
        let ([d_logits], [d_loss]) = self.views([d_logits], [d_loss]);
        let factor = d_loss[0];
        if factor != 1.0 {
            let work = d_logits.len();
            threads.split(work, d_logits, CHUNK, |_, d_logits| scale(level, d_logits, factor));
        }
    }
}

impl<'a> CpuKernels<'a> {
    fn labels(&self, label: Indices, spec: CrossEntropySpec) -> &'a [u32] {
        let label = &self.indices(label)[..spec.positions()];
        label.iter().for_each(|&class| check(class, spec.classes));
        label
    }
}

fn mean(parts: &[f64], spec: CrossEntropySpec) -> f32 {
    (parts.iter().sum::<f64>() / spec.positions() as f64) as f32
}

simd! {
    fn scale<A>(x: &mut [f32], factor: f32) {
        x.iter_mut().for_each(|x| *x *= factor);
    }
}

simd! {
    /// The sum of the losses.
    fn losses<A>(logits: &[f32], label: &[u32], spec: CrossEntropySpec) -> f64 {
        let inner = spec.inner;
        let mut loss = 0.0;
        for (x, label) in logits.chunks_exact(spec.slab()).zip(label.chunks_exact(inner)) {
            if inner == 1 {
                let max = fold_row::<Max>(x) as f32;
                loss += spec.below(x, max, label[0]);
                loss += f64::from(math::log::<A>(sum_exp::<A>(x, max)));
                continue;
            }
            for col in (0..inner).step_by(COLUMNS) {
                let (max, sum) = sum_exp_columns::<A>(x, inner, col);
                loss += column_losses::<A>(x, &label[col..], (&max, &sum), col, spec);
            }
        }
        loss
    }
}

simd! {
    /// The gradients in the place of the logits, which are in `logits` if not there already;
    /// returns the sum of the losses.
    fn gradients<A>(x: &mut [f32], logits: &[f32], label: &[u32], spec: CrossEntropySpec) -> f64 {
        let (slab, inner) = (spec.slab(), spec.inner);
        let share = 1.0 / spec.positions() as f32;
        let off = share * (spec.smoothing / spec.classes as f32);
        let on = share * (1.0 - spec.smoothing);
        let mut loss = 0.0;
        for (i, (x, label)) in x.chunks_exact_mut(slab).zip(label.chunks_exact(inner)).enumerate() {
            // A copy brings into the cache what is then overwritten there.
            if !logits.is_empty() {
                x.copy_from_slice(&logits[i * slab..][..slab]);
            }
            if inner == 1 {
                let max = fold_row::<Max>(x) as f32;
                loss += spec.below(x, max, label[0]);
                let sum = exp_row::<A>(x, max);
                loss += f64::from(math::log::<A>(sum));
                let scale = share / sum;
                x.iter_mut().for_each(|x| *x = A::mul_add(*x, scale, -off));
            }
            for col in (0..inner).step_by(COLUMNS).filter(|_| inner > 1) {
                let (max, sum) = sum_exp_columns::<A>(x, inner, col);
                loss += column_losses::<A>(x, &label[col..], (&max, &sum), col, spec);
                let scale = sum.map(|sum| share / sum);
                for x in x.chunks_exact_mut(inner) {
                    for ((x, max), scale) in x[col..].iter_mut().zip(&max).zip(&scale) {
                        *x = A::mul_add(math::exp::<A>(*x - max), *scale, -off);
                    }
                }
            }
            for (i, label) in label.iter().enumerate() {
                x[*label as usize * inner + i] -= on;
            }
        }
        loss
    }
}

impl CrossEntropySpec {
    /// `(1 − s) · (max − x_label) + s/C · Σ (max − x)` of a row: how far it is below its maximum.
    #[inline(always)]
    fn below(&self, x: &[f32], max: f32, label: u32) -> f64 {
        /// Sums that are carried side by side.
        const LANES: usize = 16;
        let (s, max) = (f64::from(self.smoothing), f64::from(max));
        let on = (1.0 - s) * (max - f64::from(x[label as usize]));
        if self.smoothing == 0.0 {
            return on;
        }
        let mut sums = [0.0; LANES];
        let (pieces, rest) = x.as_chunks::<LANES>();
        for piece in pieces {
            for (sum, x) in sums.iter_mut().zip(piece) {
                *sum += max - f64::from(*x);
            }
        }
        for (sum, x) in sums.iter_mut().zip(rest) {
            *sum += max - f64::from(*x);
        }
        on + s / self.classes as f64 * sums.iter().sum::<f64>()
    }
}

/// `Σ e^(x − max)`
#[inline(always)]
fn sum_exp<A: Arith>(x: &[f32], max: f32) -> f32 {
    let (mut sum, mut block) = (0.0_f64, [0.0; EXPS]);
    for x in x.chunks(EXPS) {
        let block = &mut block[..x.len()];
        block.copy_from_slice(x);
        sum += f64::from(exp_row::<A>(block, max));
    }
    sum as f32
}

/// The maxima and `Σ e^(x − max)` of the columns from `col` on.
#[inline(always)]
fn sum_exp_columns<A: Arith>(
    x: &[f32],
    inner: usize,
    col: usize,
) -> ([f32; COLUMNS], [f32; COLUMNS]) {
    let mut max = [f32::NEG_INFINITY; COLUMNS];
    for x in x.chunks_exact(inner) {
        for (max, x) in max.iter_mut().zip(&x[col..]) {
            *max = Max::fold(*max, *x);
        }
    }
    let mut sums = ColumnSums::new();
    for x in x.chunks_exact(inner) {
        for ((sum, x), max) in sums.next_row().iter_mut().zip(&x[col..]).zip(&max) {
            *sum += math::exp::<A>(x - max);
        }
    }
    (max, sums.finish())
}

/// The losses of the columns from `col` on.
#[inline(always)]
fn column_losses<A: Arith>(
    x: &[f32],
    label: &[u32],
    (max, sum): (&[f32; COLUMNS], &[f32; COLUMNS]),
    col: usize,
    spec: CrossEntropySpec,
) -> f64 {
    let (inner, width) = (spec.inner, COLUMNS.min(spec.inner - col));
    let (s, mut loss) = (f64::from(spec.smoothing), 0.0);
    for (i, (label, (max, sum))) in label.iter().zip(max.iter().zip(sum)).take(width).enumerate() {
        let of_label = f64::from(x[*label as usize * inner + col + i]);
        loss += f64::from(math::log::<A>(*sum)) + (1.0 - s) * (f64::from(*max) - of_label);
    }
    if spec.smoothing != 0.0 {
        let mut below = [0.0; COLUMNS];
        for x in x.chunks_exact(inner) {
            for ((below, x), max) in below.iter_mut().zip(&x[col..][..width]).zip(max) {
                *below += f64::from(*max) - f64::from(*x);
            }
        }
        loss += s / spec.classes as f64 * below.iter().sum::<f64>();
    }
    loss
}
