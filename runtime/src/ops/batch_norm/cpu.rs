//! Batch statistics on the CPU. Channels are cut into blocks, and what a block has of the input
//! into tiles that stay in cache. The mean of a tile and the squares around it are summed in `f32`
//! in short chains, in two passes, the second of which also corrects the mean; tiles are merged in
//! `f64` (T. Chan, G. Golub, R. LeVeque, "Updating formulae and a pairwise algorithm for computing
//! sample variances", 1979). So nothing cancels however far the mean is from 0, and memory is read
//! once. A tile whose squares leave the range of `f32` is summed once more, in `f64`.

use super::tile::{Around, Plain, Products, Tiles};
use super::{BatchNorm, BatchNormSpec, Running, count_of, place_of, wide};
use crate::device::{Buf, CpuKernels, SharedMut};
use crate::math::simd;
use crate::ops::check_len;

/// Sums that are carried side by side.
pub(super) const LANES: usize = 64;
/// Columns of a block, where the rows of a channel are shorter than [`LANES`].
pub(super) const WIDTH: usize = 256;
/// Floats of a tile of one channel, which stays in the first cache. Tiles of several have
/// [`LANES`] rows: merging them costs as much for each channel.
pub(super) const TILE: usize = 1 << 12;

/// Squares below it, of numbers around 10⁻¹⁵, may hold some that were too small for an `f32`, which an
/// `eps` that is larger hides.
const FAINT: f64 = 1e-30;
const HIDES: f32 = 1e-24;
/// The `1 / σ` of channels whose products with gradients may be too small for an `f32`.
const NARROW: f32 = 1e15;

/// How the work is cut: by sizes alone.
#[derive(Clone, Copy)]
pub(super) struct Blocks {
    pub(super) spec: BatchNormSpec,
    /// The channels of a block.
    pub(super) channels: usize,
}

impl Blocks {
    fn new(spec: BatchNormSpec) -> Self {
        let channels = if spec.inner < LANES { WIDTH / spec.inner.max(1) } else { 1 };
        Self { spec, channels }
    }

    fn count(self) -> usize {
        self.spec.channels.div_ceil(self.channels)
    }

    /// The floats of one sample.
    pub(super) fn row(self) -> usize {
        self.spec.channels * self.spec.inner
    }
}

impl BatchNorm for CpuKernels<'_> {
    fn batch_norm_statistics(
        &mut self,
        mean: [Buf; 2],
        invstd: Buf,
        x: Buf,
        running: Option<Running>,
        spec: BatchNormSpec,
    ) {
        let (threads, level) = (self.threads(), self.level());
        let blocks = Blocks::new(spec);
        let [mean, rest] = mean;
        let none = mean.part(0, 0);
        let none = Running { old: [none; 3], new: [none; 3], momentum: None };
        let Running { old, new, momentum } = running.unwrap_or(none);
        let [new_mean, new_var, new_batches] = new;
        let writes = [mean, rest, invstd, new_mean, new_var, new_batches];
        let (writes, [x, old_mean, old_var, batches]) =
            self.views(writes, [x, old[0], old[1], old[2]]);
        let [mean, rest, invstd, new_mean, new_var, new_batches] = writes;
        check_len("a normalisation", x.len(), spec.elements());
        let mut weight = 0.0;
        if let [new_batches] = new_batches {
            let count = count_of(batches[0]) + 1;
            *new_batches = place_of(count);
            weight = momentum.map_or(1.0 / count as f64, f64::from);
        }
        let n = spec.count() as f64;
        let [mean, rest, invstd] = [mean, rest, invstd].map(SharedMut::new);
        let [new_mean, new_var] = [new_mean, new_var].map(SharedMut::new);
        threads.run_if(4 * spec.elements(), blocks.count(), &|block| {
            let mut moments = Moments::new();
            channel_moments(level, &mut moments, x, block, blocks);
            // SAFETY: each block is run once, and its part of each is its channels, always as many.
            let [mean, rest, invstd, new_mean, new_var] = unsafe {
                [&mean, &rest, &invstd, &new_mean, &new_var]
                    .map(|out| out.part(block, blocks.channels))
            };
            let first = block * blocks.channels;
            for (c, ((mean, rest), invstd)) in mean.iter_mut().zip(rest).zip(invstd).enumerate() {
                let (mu, squares) = (moments.mean[c], moments.squares[c]);
                *mean = mu as f32;
                *rest = (mu - f64::from(*mean)) as f32;
                *invstd = (1.0 / (squares / n + f64::from(spec.eps)).sqrt()) as f32;
            }
            let moved = |old: f32, by: f64| ((1.0 - weight) * f64::from(old) + weight * by) as f32;
            for (c, (new_mean, new_var)) in new_mean.iter_mut().zip(new_var).enumerate() {
                let old = (old_mean[first + c], old_var[first + c]);
                *new_mean = moved(old.0, moments.mean[c]);
                *new_var =
                    if n > 1.0 { moved(old.1, moments.squares[c] / (n - 1.0)) } else { old.1 };
            }
        });
    }

    fn batch_norm_sums(
        &mut self,
        d_w: Buf,
        d_b: Buf,
        d_y: Buf,
        x: Buf,
        mean: [Buf; 2],
        invstd: Buf,
        spec: BatchNormSpec,
    ) {
        let (threads, level) = (self.threads(), self.level());
        let blocks = Blocks::new(spec);
        let ([d_w, d_b], [d_y, x, mean, rest, invstd]) =
            self.views([d_w, d_b], [d_y, x, mean[0], mean[1], invstd]);
        check_len("a normalisation", x.len(), spec.elements());
        check_len("its gradient", d_y.len(), spec.elements());
        let [d_w, d_b] = [d_w, d_b].map(SharedMut::new);
        threads.run_if(4 * spec.elements(), blocks.count(), &|block| {
            let first = block * blocks.channels;
            // SAFETY: each block is run once, and its part of both is its channels, always as many.
            let [d_w, d_b] = unsafe { [&d_w, &d_b].map(|out| out.part(block, blocks.channels)) };
            let mut sums = Sums { products: [0.0; WIDTH], plain: [0.0; WIDTH] };
            let of_block = first..first + d_w.len();
            let (mean, invstd) = (&mean[of_block.clone()], &invstd[of_block]);
            let is_narrow = invstd.iter().any(|invstd| *invstd > NARROW);
            channel_sums(level, &mut sums, d_y, x, mean, is_narrow, block, blocks);
            for (c, (d_w, d_b)) in d_w.iter_mut().zip(d_b).enumerate() {
                let of_rest = f64::from(rest[first + c]) * sums.plain[c];
                *d_w = ((sums.products[c] - of_rest) * f64::from(invstd[c])) as f32;
                *d_b = sums.plain[c] as f32;
            }
        });
    }
}

/// The moments of the channels of a block.
struct Moments {
    count: f64,
    mean: [f64; WIDTH],
    /// `Σ (x − mean)²`
    squares: [f64; WIDTH],
}

impl Moments {
    fn new() -> Self {
        Self { count: 0.0, mean: [0.0; WIDTH], squares: [0.0; WIDTH] }
    }

    /// Adds `count` elements a channel: the sums of their distances from `centre`, and of the squares
    /// of these.
    #[inline(always)]
    fn merge(&mut self, count: usize, centre: &[f32], away: &[f64], squares: &[f64]) {
        let count = count as f64;
        let total = self.count + count;
        let (one, share, between) = (1.0 / count, count / total, self.count * count / total);
        self.count = total;
        let all = self.mean.iter_mut().zip(&mut self.squares).zip(centre).zip(away).zip(squares);
        for ((((mean, into), centre), away), squares) in all {
            let off = away * one;
            let distance = f64::from(*centre) + off - *mean;
            *mean += distance * share;
            let around = (squares - away * off).max(0.0);
            *into += around + distance * distance * between;
        }
    }
}

/// The sums of the channels of a block.
pub(super) struct Sums {
    /// `Σ d_y · (x − mean)`
    pub products: [f64; WIDTH],
    /// `Σ d_y`
    pub plain: [f64; WIDTH],
}

/// Sums the columns of each channel.
#[inline(always)]
fn gather(columns: &[f32; WIDTH], inner: usize) -> [f64; WIDTH] {
    let mut sums = [0.0; WIDTH];
    for (sum, columns) in sums.iter_mut().zip(columns.chunks_exact(inner)) {
        for column in columns {
            *sum += f64::from(*column);
        }
    }
    sums
}

/// Repeats what each channel has for its columns.
#[inline(always)]
fn spread(channels: &[f32], inner: usize) -> [f32; WIDTH] {
    let mut columns = [0.0; WIDTH];
    for (columns, value) in columns.chunks_exact_mut(inner).zip(channels) {
        columns.fill(*value);
    }
    columns
}

simd! {
    fn channel_moments<A>(moments: &mut Moments, x: &[f32], block: usize, blocks: Blocks) {
        let inner = blocks.spec.inner;
        let shows_faint = blocks.spec.eps < HIDES;
        let fits = |sum: f64, squares: f64| {
            (sum + squares).is_finite() && !(shows_faint && squares < FAINT)
        };
        for tile in Tiles::new(x, x, block, blocks) {
            if blocks.channels == 1 {
                let count = tile.rows * tile.len;
                let [sum] = tile.whole::<A, Plain, 1>(0.0);
                let centre = (sum / count as f64) as f32;
                let [away, squares] = tile.whole::<A, Around, 2>(centre);
                match fits(sum, squares) {
                    true => moments.merge(count, &[centre], &[away], &[squares]),
                    false => {
                        let wide = wide::moments(tile, tile.len);
                        moments.merge(count, &wide.centre, &wide.away, &wide.squares);
                    }
                }
            } else {
                let count = tile.rows * inner;
                let [columns] = tile.columns::<A, Plain, 1>(&[0.0; WIDTH]);
                let sums = gather(&columns, inner);
                let mut centres = [0.0; WIDTH];
                for (centre, sum) in centres.iter_mut().zip(&sums) {
                    *centre = (sum / count as f64) as f32;
                }
                let [away, squares] = tile.columns::<A, Around, 2>(&spread(&centres, inner));
                let (away, squares) = (gather(&away, inner), gather(&squares, inner));
                let channels = tile.len / inner;
                match (0..channels).all(|c| fits(sums[c], squares[c])) {
                    true => moments.merge(count, &centres, &away, &squares),
                    false => {
                        let wide = wide::moments(tile, inner);
                        moments.merge(count, &wide.centre, &wide.away, &wide.squares);
                    }
                }
            }
        }
    }
}

simd! {
    /// `is_narrow`: whether products may be too small for an `f32`.
    fn channel_sums<A>(
        sums: &mut Sums,
        d_y: &[f32],
        x: &[f32],
        mean: &[f32],
        is_narrow: bool,
        block: usize,
        blocks: Blocks,
    ) {
        let inner = blocks.spec.inner;
        let means = if blocks.channels == 1 { [0.0; WIDTH] } else { spread(mean, inner) };
        for tile in Tiles::new(d_y, x, block, blocks) {
            let fits = |sum: f64| sum.is_finite() && !is_narrow;
            if blocks.channels == 1 {
                let [products, plain] = tile.whole::<A, Products, 2>(mean[0]);
                match fits(products + plain) {
                    true => {
                        sums.products[0] += products;
                        sums.plain[0] += plain;
                    }
                    false => wide::products(sums, tile, mean, tile.len),
                }
            } else {
                let [products, plain] = tile.columns::<A, Products, 2>(&means);
                let (products, plain) = (gather(&products, inner), gather(&plain, inner));
                match (0..mean.len()).all(|c| fits(products[c] + plain[c])) {
                    true => {
                        for c in 0..WIDTH {
                            sums.products[c] += products[c];
                            sums.plain[c] += plain[c];
                        }
                    }
                    false => wide::products(sums, tile, mean, inner),
                }
            }
        }
    }
}
