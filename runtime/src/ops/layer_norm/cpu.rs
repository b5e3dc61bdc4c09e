//! Normalisation on the CPU, row by row in cache: the mean first and then the squares around it,
//! with what the mean is off, so that nothing cancels however far it is from 0. Sums are carried in
//! [`LANES`] places for a while and added up in `f64`. A row whose squares leave the range of `f32`
//! is summed once more, in `f64`.

use super::{Affine, LayerNorm, LayerNormSpec, STATS};
use crate::device::{Buf, CpuKernels, SharedMut};
use crate::math::{Arith, simd};
use crate::ops::{check_holds, check_len, product};

/// Sums that are carried side by side.
const LANES: usize = 64;
/// Numbers that are added one after another in `f32`.
const CHAIN: usize = 16;
/// Squares below it, of numbers around 10⁻¹⁵, may hold some that were too small for an `f32`, which
/// an `eps` that is larger hides.
const FAINT: f64 = 1e-30;
const HIDES: f32 = 1e-24;
/// Columns whose sums over groups are carried side by side.
const COLUMNS: usize = 64;
/// Floats that one thread normalises at a time, at least.
const CHUNK: usize = 1 << 13;

impl LayerNormSpec {
    /// Panics where what is normalised and its statistics, if there are any, do not have these
    /// sizes.
    fn check(&self, elements: [usize; 2], stats: usize) {
        let said = product([self.rows, self.dim]);
        elements.into_iter().for_each(|found| check_len("a normalisation", found, said));
        if stats > 0 {
            check_len("statistics", stats, product([self.rows, STATS]));
        }
    }
}

impl LayerNorm for CpuKernels<'_> {
    fn layer_norm(&mut self, y: Buf, stats: Buf, x: Buf, affine: Affine, spec: LayerNormSpec) {
        let (threads, level) = (self.threads(), self.level());
        let ([y, stats], [x, w, b]) = self.views([y, stats], [x, affine.weight, affine.bias]);
        spec.check([y.len(), x.len()], stats.len());
        if y.is_empty() {
            return;
        }
        let each = CHUNK.div_ceil(spec.dim);
        let work = 8 * y.len();
        threads.split2(work, (y, each * spec.dim), (stats, each * STATS), |i, y, stats| {
            let x = &x[i * each * spec.dim..][..y.len()];
            normalise(level, y, stats, x, w, b, spec);
        });
    }

    fn layer_norm_grad(
        &mut self,
        d_x: Buf,
        d_affine: Affine,
        d_y: Buf,
        x: Buf,
        weight: Buf,
        stats: Buf,
        spec: LayerNormSpec,
        scratch: Buf,
    ) {
        let (threads, level) = (self.threads(), self.level());
        let writes = [d_x, d_affine.weight, d_affine.bias, scratch];
        let ([d_x, d_w, d_b, scratch], [d_y, x, w, stats]) =
            self.views(writes, [d_y, x, weight, stats]);
        spec.check([d_x.len(), d_y.len()], stats.len());
        check_len("the input of a normalisation", x.len(), d_x.len());
        check_holds("scratch memory", scratch.len(), spec.grad_scratch());
        let (group, dim) = (spec.group(), spec.dim);
        let groups = spec.rows.div_ceil(group);
        let (work, scratch) = (16 * d_x.len(), &mut scratch[..2 * dim * groups]);
        threads.split2(work, (d_x, group * dim), (&mut *scratch, 2 * dim), |i, d_x, sums| {
            let (from, len) = (i * group * dim, d_x.len());
            let stats = &stats[STATS * i * group..];
            let (d_y, x) = (&d_y[from..][..len], &x[from..][..len]);
            gradient(level, d_x, sums, d_y, x, w, stats, spec);
        });
        let scratch = &*scratch;
        let each = CHUNK.div_ceil(groups.max(1));
        let (d_w, d_b) = (SharedMut::new(d_w), SharedMut::new(d_b));
        threads.run_if(2 * dim * groups, dim.div_ceil(each), &|i| {
            // SAFETY: each `i` comes once and with one length, so its parts of `d_w` and `d_b` are
            // its own.
            let (d_w, d_b) = unsafe { (d_w.part(i, each), d_b.part(i, each)) };
            add_groups(level, d_w, &scratch[i * each..], 2 * dim);
            add_groups(level, d_b, &scratch[(dim + i * each).min(scratch.len())..], 2 * dim);
        });
    }
}

simd! {
    fn normalise<A>(
        y: &mut [f32],
        stats: &mut [f32],
        x: &[f32],
        w: &[f32],
        b: &[f32],
        spec: LayerNormSpec,
    ) {
        let mut stats = stats.chunks_exact_mut(STATS);
        for (y, x) in y.chunks_exact_mut(spec.dim).zip(x.chunks_exact(spec.dim)) {
            let of_row = row_stats(x, row_sums::<A>(x, spec), spec);
            if let Some(stats) = stats.next() {
                stats.copy_from_slice(&of_row);
            }
            let hat = Hat::new(&of_row);
            match (w.is_empty(), b.is_empty()) {
                (false, false) => {
                    for (((y, x), w), b) in y.iter_mut().zip(x).zip(w).zip(b) {
                        *y = A::mul_add(hat.of::<A>(*x), *w, *b);
                    }
                }
                (false, true) => {
                    for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
                        *y = hat.of::<A>(*x) * w;
                    }
                }
                (true, false) => {
                    for ((y, x), b) in y.iter_mut().zip(x).zip(b) {
                        *y = hat.of::<A>(*x) + b;
                    }
                }
                (true, true) => y.iter_mut().zip(x).for_each(|(y, x)| *y = hat.of::<A>(*x)),
            }
        }
    }
}

/// `x̂` of the elements of a row. Halves are subtracted: a difference of two `f32`s may be none.
#[derive(Clone, Copy)]
struct Hat {
    minus_mean: f32,
    scale: f32,
    shift: f32,
}

impl Hat {
    #[inline(always)]
    fn new(stats: &[f32]) -> Self {
        let [mean, rest, rstd] = [stats[0], stats[1], stats[2]];
        Self { minus_mean: -0.5 * mean, scale: 2.0 * rstd, shift: -rest * rstd }
    }

    #[inline(always)]
    fn of<A: Arith>(self, x: f32) -> f32 {
        A::mul_add(A::mul_add(0.5, x, self.minus_mean), self.scale, self.shift)
    }
}

/// Sums of a row.
#[derive(Clone, Copy)]
struct RowSums {
    /// What is taken away from elements.
    centre: f32,
    /// `Σ (x − centre)`
    away: f64,
    /// `Σ (x − centre)²`
    squares: f64,
}

#[inline(always)]
fn row_sums<A: Arith>(x: &[f32], spec: LayerNormSpec) -> RowSums {
    let centre = match spec.centred {
        true => (lanes(x, x, |sum, x, _| sum + x) / x.len() as f64) as f32,
        false => 0.0,
    };
    let squares = lanes(x, x, |sum, x, _| A::mul_add(x - centre, x - centre, sum));
    let away = match spec.centred {
        true => lanes(x, x, |sum, x, _| sum + (x - centre)),
        false => 0.0,
    };
    RowSums { centre, away, squares }
}

/// The same in `f64`, for numbers whose squares leave the range of `f32`.
#[cold]
#[inline(never)]
fn wide_sums(x: &[f32], spec: LayerNormSpec) -> RowSums {
    let sum: f64 = x.iter().map(|x| f64::from(*x)).sum();
    let centre = if spec.centred { (sum / x.len() as f64) as f32 } else { 0.0 };
    let distances = || x.iter().map(|x| f64::from(*x) - f64::from(centre));
    let away = if spec.centred { distances().sum() } else { 0.0 };
    RowSums { centre, away, squares: distances().map(|x| x * x).sum() }
}

/// `μ` in two parts, and `1 / √(σ² + ε)`
#[inline(always)]
fn row_stats(x: &[f32], mut sums: RowSums, spec: LayerNormSpec) -> [f32; STATS] {
    let is_faint = spec.eps < HIDES && sums.squares < FAINT;
    if !sums.squares.is_finite() || !sums.centre.is_finite() || is_faint {
        sums = wide_sums(x, spec);
    }
    let n = x.len() as f64;
    let off = sums.away / n;
    let variance = (sums.squares / n - off * off).max(0.0);
    // NaN stays.
    let variance = if sums.squares.is_nan() { f64::NAN } else { variance };
    let rstd = 1.0 / (variance + f64::from(spec.eps)).sqrt();
    [sums.centre, off as f32, rstd as f32]
}

/// Folds two rows into [`LANES`] sums, and these into one.
#[inline(always)]
fn lanes(x: &[f32], y: &[f32], fold: impl Fn(f32, f32, f32) -> f32) -> f64 {
    let mut total = 0.0;
    for (x, y) in x.chunks(LANES * CHAIN).zip(y.chunks(LANES * CHAIN)) {
        let mut sums = [0.0_f32; LANES];
        let (xs, ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
        let rest = xs.remainder().iter().zip(ys.remainder());
        for (sum, (x, y)) in sums.iter_mut().zip(rest) {
            *sum = fold(*sum, *x, *y);
        }
        for (x, y) in xs.zip(ys) {
            for l in 0..LANES {
                sums[l] = fold(sums[l], x[l], y[l]);
            }
        }
        let mut half = LANES / 2;
        while half >= 4 {
            for l in 0..half {
                sums[l] += sums[l + half];
            }
            half /= 2;
        }
        total += sums[..4].iter().map(|sum| f64::from(*sum)).sum::<f64>();
    }
    total
}

simd! {
    /// The rows of a group: `d_x`, and in `sums [2, dim]` what they add to `d_w` and `d_b`.
    fn gradient<A>(
        d_x: &mut [f32],
        sums: &mut [f32],
        d_y: &[f32],
        x: &[f32],
        w: &[f32],
        stats: &[f32],
        spec: LayerNormSpec,
    ) {
        sums.fill(0.0);
        let (to_w, to_b) = sums.split_at_mut(spec.dim);
        let n = spec.dim as f64;
        let rows = d_y.chunks_exact(spec.dim).zip(x.chunks_exact(spec.dim));
        let rows = rows.zip(stats.chunks_exact(STATS));
        for (d_x, ((d_y, x), stats)) in d_x.chunks_exact_mut(spec.dim).zip(rows) {
            let (hat, rstd) = (Hat::new(stats), stats[2]);
            // `d_x` holds `g` first.
            match w.is_empty() {
                true => d_x.copy_from_slice(d_y),
                false => {
                    for ((g, d_y), w) in d_x.iter_mut().zip(d_y).zip(w) {
                        *g = d_y * w;
                    }
                }
            }
            for (((d_w, d_b), d_y), x) in to_w.iter_mut().zip(&mut *to_b).zip(d_y).zip(x) {
                *d_w = A::mul_add(*d_y, hat.of::<A>(*x), *d_w);
                *d_b += d_y;
            }
            let plain = match spec.centred {
                true => (lanes(d_x, x, |sum, g, _| sum + g) / n) as f32,
                false => 0.0,
            };
            let along = lanes(d_x, x, |sum, g, x| A::mul_add(g, hat.of::<A>(x), sum));
            let along = (along / n) as f32;
            for (d_x, x) in d_x.iter_mut().zip(x) {
                *d_x = rstd * (*d_x - plain - hat.of::<A>(*x) * along);
            }
        }
    }
}

simd! {
    /// The sums of `y.len()` columns over groups that are `apart` from one another.
    fn add_groups<A>(y: &mut [f32], groups: &[f32], apart: usize) {
        let len = y.len();
        for (i, y) in y.chunks_mut(COLUMNS).enumerate() {
            let mut sums = [0.0_f64; COLUMNS];
            for group in groups.chunks(apart).filter(|group| group.len() >= len) {
                for (sum, x) in sums.iter_mut().zip(&group[i * COLUMNS..][..y.len()]) {
                    *sum += f64::from(*x);
                }
            }
            y.iter_mut().zip(&sums).for_each(|(y, sum)| *y = *sum as f32);
        }
    }
}
