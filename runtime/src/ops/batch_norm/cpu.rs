//! Batch statistics on the CPU. Channels are cut into blocks, and what a block has of the input
//! into tiles that stay in cache. The mean of a tile and the squares around it are summed in `f32`
//! in short chains, in two passes; tiles are merged in `f64` (T. Chan, G. Golub, R. LeVeque,
//! "Updating formulae and a pairwise algorithm for computing sample variances", 1979). So nothing
//! cancels however far the mean is from 0, and memory is read once.

use super::{BatchNorm, BatchNormSpec, Running};
use crate::device::{Buf, CpuStep, SharedMut};
use crate::math::simd;

/// Sums that are carried side by side.
const LANES: usize = 64;
/// Columns of a block, where the rows of a channel are shorter than [`LANES`].
const WIDTH: usize = 256;
/// Floats of a tile.
const TILE: usize = 1 << 12;

/// How the work is cut: by sizes alone.
#[derive(Clone, Copy)]
struct Blocks {
    spec: BatchNormSpec,
    /// The channels of a block.
    channels: usize,
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
    fn row(self) -> usize {
        self.spec.channels * self.spec.inner
    }
}

impl BatchNorm for CpuStep<'_> {
    fn batch_norm_statistics(
        &mut self,
        mean: Buf,
        invstd: Buf,
        x: Buf,
        running: Option<Running>,
        spec: BatchNormSpec,
    ) {
        let (threads, level) = (self.threads(), self.level());
        let blocks = Blocks::new(spec);
        let none = mean.part(0, 0);
        let none = Running { old: [none; 3], new: [none; 3], momentum: None };
        let Running { old, new, momentum } = running.unwrap_or(none);
        let [new_mean, new_var, new_batches] = new;
        let ([mean, invstd, new_mean, new_var, new_batches], [x, old_mean, old_var, batches]) =
            self.views([mean, invstd, new_mean, new_var, new_batches], [x, old[0], old[1], old[2]]);
        let mut weight = 0.0;
        if let [new_batches] = new_batches {
            *new_batches = batches[0] + 1.0;
            weight = momentum.map_or(1.0 / f64::from(*new_batches), f64::from);
        }
        let n = spec.count() as f64;
        let [mean, invstd] = [mean, invstd].map(SharedMut::new);
        let [new_mean, new_var] = [new_mean, new_var].map(SharedMut::new);
        threads.run_if(4 * spec.elements(), blocks.count(), &|block| {
            let mut moments = Moments::new();
            channel_moments(level, &mut moments, x, block, blocks);
            // SAFETY: each block is run once and has channels of its own.
            let [mean, invstd, new_mean, new_var] = unsafe {
                [&mean, &invstd, &new_mean, &new_var].map(|out| out.part(block, blocks.channels))
            };
            let first = block * blocks.channels;
            for (c, (mean, invstd)) in mean.iter_mut().zip(invstd).enumerate() {
                let (mu, squares) = (moments.mean[c], moments.squares[c]);
                *mean = mu as f32;
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
        mean: Buf,
        invstd: Buf,
        spec: BatchNormSpec,
    ) {
        let (threads, level) = (self.threads(), self.level());
        let blocks = Blocks::new(spec);
        let ([d_w, d_b], [d_y, x, mean, invstd]) = self.views([d_w, d_b], [d_y, x, mean, invstd]);
        let [d_w, d_b] = [d_w, d_b].map(SharedMut::new);
        threads.run_if(4 * spec.elements(), blocks.count(), &|block| {
            let first = block * blocks.channels;
            // SAFETY: each block is run once and has channels of its own.
            let [d_w, d_b] = unsafe { [&d_w, &d_b].map(|out| out.part(block, blocks.channels)) };
            let mut sums = Sums { products: [0.0; WIDTH], plain: [0.0; WIDTH] };
            channel_sums(level, &mut sums, d_y, x, &mean[first..][..d_w.len()], block, blocks);
            for (c, (d_w, d_b)) in d_w.iter_mut().zip(d_b).enumerate() {
                *d_w = (sums.products[c] * f64::from(invstd[first + c])) as f32;
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

    /// Adds `count` elements a channel, with their sums and their squares around `centre`.
    #[inline(always)]
    fn merge(&mut self, count: usize, sums: &[f64], centre: &[f32], squares: &[f64]) {
        let count = count as f64;
        let total = self.count + count;
        let (one, share, between) = (1.0 / count, count / total, self.count * count / total);
        self.count = total;
        let all = self.mean.iter_mut().zip(&mut self.squares).zip(sums).zip(centre).zip(squares);
        for ((((mean, into), sum), centre), squares) in all {
            let (new, off) = (sum * one, sum * one - f64::from(*centre));
            let distance = new - *mean;
            *mean += distance * share;
            *into += squares - count * off * off + distance * distance * between;
        }
    }
}

/// The sums of the channels of a block.
struct Sums {
    /// `Σ d_y · (x − mean)`
    products: [f64; WIDTH],
    /// `Σ d_y`
    plain: [f64; WIDTH],
}

/// A tile: `rows` rows of `len` neighbours in two tensors (or in one, twice), `stride` apart.
#[derive(Clone, Copy)]
struct Tile<'a> {
    a: &'a [f32],
    b: &'a [f32],
    stride: usize,
    rows: usize,
    len: usize,
}

impl Tile<'_> {
    /// Elements `from..from + LANES` of row `i`, fewer at its end.
    #[inline(always)]
    fn piece(&self, i: usize, from: usize) -> (&[f32], &[f32]) {
        let (start, len) = (i * self.stride + from, LANES.min(self.len - from));
        (&self.a[start..][..len], &self.b[start..][..len])
    }
}

/// `lanes ← term(lanes, a, b, centre)`, lane by lane.
#[inline(always)]
fn add<const K: usize>(
    lanes: &mut [[f32; LANES]; K],
    (a, b): (&[f32], &[f32]),
    centre: &[f32; LANES],
    term: impl Fn([f32; K], f32, f32, f32) -> [f32; K],
) {
    for (j, (a, b)) in a.iter().zip(b).take(LANES).enumerate() {
        let sums = term(std::array::from_fn(|k| lanes[k][j]), *a, *b, centre[j]);
        for k in 0..K {
            lanes[k][j] = sums[k];
        }
    }
}

/// The sums of each column of a tile.
#[inline(always)]
fn columns<const K: usize>(
    tile: Tile<'_>,
    centre: &[f32; WIDTH],
    term: impl Fn([f32; K], f32, f32, f32) -> [f32; K] + Copy,
) -> [[f32; WIDTH]; K] {
    let mut sums = [[0.0; WIDTH]; K];
    for from in (0..tile.len).step_by(LANES) {
        let centre: &[f32; LANES] = centre[from..].first_chunk().expect("a multiple of LANES");
        let mut lanes = [[0.0; LANES]; K];
        if tile.len - from >= LANES {
            for i in 0..tile.rows {
                let (a, b) = tile.piece(i, from);
                add(&mut lanes, (&a[..LANES], &b[..LANES]), centre, term);
            }
        } else {
            for i in 0..tile.rows {
                add(&mut lanes, tile.piece(i, from), centre, term);
            }
        }
        for k in 0..K {
            sums[k][from..from + LANES].copy_from_slice(&lanes[k]);
        }
    }
    sums
}

/// The sums of all elements of a tile.
#[inline(always)]
fn whole<const K: usize>(
    tile: Tile<'_>,
    centre: f32,
    term: impl Fn([f32; K], f32, f32, f32) -> [f32; K] + Copy,
) -> [f64; K] {
    let centre = [centre; LANES];
    let (mut lanes, mut rest) = ([[0.0; LANES]; K], [[0.0; LANES]; K]);
    let full = tile.len - tile.len % LANES;
    for i in 0..tile.rows {
        for from in (0..full).step_by(LANES) {
            let (a, b) = tile.piece(i, from);
            add(&mut lanes, (&a[..LANES], &b[..LANES]), &centre, term);
        }
    }
    if full < tile.len {
        for i in 0..tile.rows {
            add(&mut rest, tile.piece(i, full), &centre, term);
        }
    }
    let total = |lanes: &[f32; LANES]| lanes.iter().map(|x| f64::from(*x)).sum::<f64>();
    std::array::from_fn(|k| total(&lanes[k]) + total(&rest[k]))
}

/// Calls `f` with the tiles of a block, one behind the other.
#[inline(always)]
fn tiles<'a>(
    a: &'a [f32],
    b: &'a [f32],
    block: usize,
    blocks: Blocks,
    mut f: impl FnMut(Tile<'a>),
) {
    let (spec, stride) = (blocks.spec, blocks.row());
    let first = block * blocks.channels;
    let width = blocks.channels.min(spec.channels - first) * spec.inner;
    // Long rows are cut; of short ones, a tile has several.
    let (len, rows) = (width.min(TILE), (TILE / width.max(1)).max(1));
    for at in (0..spec.batch).step_by(rows) {
        for from in (0..width).step_by(len.max(1)) {
            let start = at * stride + first * spec.inner + from;
            let (rows, len) = (rows.min(spec.batch - at), len.min(width - from));
            f(Tile { a: &a[start..], b: &b[start..], stride, rows, len });
        }
    }
}

/// Sums the columns of each channel.
#[inline(always)]
fn gather(columns: &[f32; WIDTH], inner: usize) -> [f64; WIDTH] {
    let mut sums = [0.0; WIDTH];
    for (sum, columns) in sums.iter_mut().zip(columns.chunks_exact(inner)) {
        *sum = columns.iter().map(|x| f64::from(*x)).sum();
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
        let sum = |[sum]: [f32; 1], x: f32, _: f32, _: f32| [sum + x];
        let square = |[sum]: [f32; 1], x: f32, _: f32, centre: f32| {
            [A::mul_add(x - centre, x - centre, sum)]
        };
        tiles(x, x, block, blocks, |tile| {
            if blocks.channels == 1 {
                let count = tile.rows * tile.len;
                let sums = whole(tile, 0.0, sum);
                let centre = (sums[0] / count as f64) as f32;
                moments.merge(count, &sums, &[centre], &whole(tile, centre, square));
            } else {
                let count = tile.rows * inner;
                let sums = gather(&columns(tile, &[0.0; WIDTH], sum)[0], inner);
                let centres = sums.map(|sum| (sum / count as f64) as f32);
                let squares = columns(tile, &spread(&centres, inner), square);
                moments.merge(count, &sums, &centres, &gather(&squares[0], inner));
            }
        });
    }
}

simd! {
    fn channel_sums<A>(
        sums: &mut Sums,
        d_y: &[f32],
        x: &[f32],
        mean: &[f32],
        block: usize,
        blocks: Blocks,
    ) {
        let inner = blocks.spec.inner;
        let term = |[products, plain]: [f32; 2], d_y: f32, x: f32, mean: f32| {
            [A::mul_add(d_y, x - mean, products), plain + d_y]
        };
        if blocks.channels == 1 {
            tiles(d_y, x, block, blocks, |tile| {
                let [products, plain] = whole(tile, mean[0], term);
                sums.products[0] += products;
                sums.plain[0] += plain;
            });
            return;
        }
        let means = spread(mean, inner);
        tiles(d_y, x, block, blocks, |tile| {
            let [products, plain] = columns(tile, &means, term);
            let tile = gather(&products, inner).into_iter().zip(gather(&plain, inner));
            let all = sums.products.iter_mut().zip(&mut sums.plain).zip(tile);
            for ((products, plain), (tile_products, tile_plain)) in all {
                *products += tile_products;
                *plain += tile_plain;
            }
        });
    }
}
