//! Cross entropy on the CPU.

use super::{CrossEntropy, CrossEntropySpec};
use crate::device::{Buf, CpuStep, Indices};
use crate::math::{self, Arith, simd};
use crate::ops::nll_loss::check;
use crate::ops::reduce::{Fold, Max, Sum, fold_row};

/// Distributions that are handled together where their elements are apart.
const COLUMNS: usize = 64;
/// Elements that one thread takes at a time, at least.
const CHUNK: usize = 1 << 12;
/// Into how many parts the positions are cut, at most.
const PARTS: usize = 64;

impl CrossEntropySpec {
    /// The outer positions that one thread takes at a time.
    fn outer_each(&self) -> usize {
        CHUNK.div_ceil((self.classes * self.inner).max(1)).max(self.outer.div_ceil(PARTS))
    }
}

impl CrossEntropy for CpuStep<'_> {
    fn cross_entropy(
        &mut self,
        loss: Buf,
        lse: Buf,
        logits: Buf,
        label: Indices,
        spec: CrossEntropySpec,
    ) {
        let (threads, level) = (self.threads(), self.level());
        let label = &self.indices(label)[..spec.positions()];
        label.iter().for_each(|&class| check(class, spec.classes));
        let ([loss, lse], [logits]) = self.views([loss, lse], [logits]);
        let (each, slab) = (spec.outer_each(), spec.classes * spec.inner);
        let mut parts = [0.0_f64; PARTS];
        let lens = (each * spec.inner, each * slab);
        threads.split2(16 * logits.len(), (lse, lens.0), (&mut parts, 1), |i, lse, part| {
            let logits = &logits[i * lens.1..][..lse.len() * spec.classes];
            let label = &label[i * lens.0..][..lse.len()];
            part[0] = losses(level, lse, logits, label, spec);
        });
        loss[0] = (parts.iter().sum::<f64>() / spec.positions() as f64) as f32;
    }

    fn cross_entropy_grad(
        &mut self,
        d_logits: Buf,
        d_loss: Buf,
        logits: Buf,
        lse: Buf,
        label: Indices,
        spec: CrossEntropySpec,
    ) {
        let (threads, level) = (self.threads(), self.level());
        let label = &self.indices(label)[..spec.positions()];
        label.iter().for_each(|&class| check(class, spec.classes));
        let ([d_logits], [d_loss, logits, lse]) = self.views([d_logits], [d_loss, logits, lse]);
        let (each, slab) = (spec.outer_each(), spec.classes * spec.inner);
        let share = d_loss[0] / spec.positions() as f32;
        threads.split(16 * logits.len(), d_logits, each * slab, |i, d_logits| {
            let logits = &logits[i * each * slab..][..d_logits.len()];
            let positions = i * each * spec.inner..;
            let (lse, label) = (&lse[positions.clone()], &label[positions]);
            gradients(level, d_logits, share, logits, lse, label, spec);
        });
    }
}

simd! {
    /// Fills `lse` and returns the sum of the losses.
    fn losses<A>(
        lse: &mut [f32],
        logits: &[f32],
        label: &[u32],
        spec: CrossEntropySpec,
    ) -> f64 {
        let CrossEntropySpec { classes, inner, smoothing, .. } = spec;
        let on = f64::from(1.0 - smoothing);
        let off = f64::from(smoothing) / classes as f64;
        let slabs = lse.chunks_exact_mut(inner).zip(logits.chunks_exact(classes * inner));
        let mut loss = 0.0_f64;
        for ((lse, x), label) in slabs.zip(label.chunks_exact(inner)) {
            if inner == 1 {
                lse[0] = log_sum_exp_row::<A>(x);
                if smoothing != 0.0 {
                    loss -= off * f64::from(fold_row::<Sum>(x));
                }
            } else {
                for col in (0..inner).step_by(COLUMNS) {
                    let total = log_sum_exp_columns::<A>(&mut lse[col..], x, inner, col);
                    if smoothing != 0.0 {
                        loss -= off * total;
                    }
                }
            }
            for (i, (lse, label)) in lse.iter().zip(label).enumerate() {
                loss += f64::from(*lse) - on * f64::from(x[*label as usize * inner + i]);
            }
        }
        loss
    }
}

#[inline(always)]
fn log_sum_exp_row<A: Arith>(x: &[f32]) -> f32 {
    const BLOCK: usize = 512;
    let max = fold_row::<Max>(x);
    let mut sum = 0.0_f64;
    let mut exps = [0.0; BLOCK];
    for x in x.chunks(BLOCK) {
        let exps = &mut exps[..x.len()];
        for (y, x) in exps.iter_mut().zip(x) {
            *y = math::exp::<A>(x - max);
        }
        sum += f64::from(fold_row::<Sum>(exps));
    }
    max + math::log::<A>(sum as f32)
}

/// Fills up to [`COLUMNS`] of `lse`, and returns the sum of all their elements.
#[inline(always)]
fn log_sum_exp_columns<A: Arith>(lse: &mut [f32], x: &[f32], inner: usize, col: usize) -> f64 {
    let mut max = [f32::NEG_INFINITY; COLUMNS];
    let mut total = 0.0_f64;
    let width = COLUMNS.min(inner - col);
    for x in x.chunks_exact(inner) {
        let x = &x[col..][..width];
        for (max, x) in max.iter_mut().zip(x) {
            *max = Max::fold(*max, *x);
        }
        total += f64::from(fold_row::<Sum>(x));
    }
    let mut sum = [0.0; COLUMNS];
    for x in x.chunks_exact(inner) {
        for ((sum, x), max) in sum.iter_mut().zip(&x[col..][..width]).zip(&max) {
            *sum += math::exp::<A>(x - max);
        }
    }
    for ((lse, sum), max) in lse[..width].iter_mut().zip(&sum).zip(&max) {
        *lse = max + math::log::<A>(*sum);
    }
    total
}

simd! {
    fn gradients<A>(
        d_logits: &mut [f32],
        share: f32,
        logits: &[f32],
        lse: &[f32],
        label: &[u32],
        spec: CrossEntropySpec,
    ) {
        let CrossEntropySpec { classes, inner, smoothing, .. } = spec;
        let off = smoothing / classes as f32;
        let slab = classes * inner;
        let slabs = d_logits.chunks_exact_mut(slab).zip(logits.chunks_exact(slab));
        let positions = lse.chunks_exact(inner).zip(label.chunks_exact(inner));
        for ((d_x, x), (lse, label)) in slabs.zip(positions) {
            if inner == 1 {
                for (d_x, x) in d_x.iter_mut().zip(x) {
                    *d_x = share * (math::exp::<A>(x - lse[0]) - off);
                }
            } else {
                for (d_x, x) in d_x.chunks_exact_mut(inner).zip(x.chunks_exact(inner)) {
                    for ((d_x, x), lse) in d_x.iter_mut().zip(x).zip(lse) {
                        *d_x = share * (math::exp::<A>(x - lse) - off);
                    }
                }
            }
            for (i, label) in label.iter().enumerate() {
                let at = *label as usize * inner + i;
                d_x[at] = share * (math::exp::<A>(x[at] - lse[i]) - off - (1.0 - smoothing));
            }
        }
    }
}
