//! Where transforms of tiles keep their promise: what the derivation in [`super`] asks of inputs
//! and of output gradients, looked up in *sizes*, the largest absolute value of all channels at
//! each place of a plane. They are compared as bits, by which a NaN is the largest of all.

use std::ops::Range;

use super::{Planes, Strip, TAPS, TILE};
use crate::math::{SimdLevel, simd};

/// The largest value of a tile is at most so many times the largest of each window in it.
pub const RATIO: f32 = 16.0;
/// The largest values of tiles, multiplied and summed, are at most so many times the sum of the
/// products that a weight's gradient is made of.
const GRADIENT_RATIO: f64 = 4.0;
/// Values between which transforms neither overflow nor lose what is below the normal range.
pub const LEAST: f32 = 1e-25;
pub const MOST: f32 = 1e12;

/// Whether a size is zero or between the two; a NaN is not.
pub fn moderate(size: f32) -> bool {
    size == 0.0 || (LEAST..=MOST).contains(&size)
}

/// The larger of two sizes.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    f32::from_bits(a.to_bits().max(b.to_bits()))
}

/// The rows of a strip's `rows` that meet the image, when so many are above the first tile.
#[inline(always)]
pub fn met(shape: Planes, strip: Strip, above: usize, rows: usize) -> Range<usize> {
    let top = TILE * strip.row;
    let first = above.saturating_sub(top).min(rows);
    first..(shape.height + above).saturating_sub(top).clamp(first, rows)
}

/// The sizes of a strip: for each of its groups of channels those of the rows that meet the image,
/// as `Gather` left them.
#[derive(Clone, Copy)]
pub struct Sizes<'a> {
    pub shape: Planes,
    pub strip: Strip,
    pub margin: [usize; 2],
    /// Rows and columns beyond 4 for each tile: 2 of inputs, 0 of output gradients.
    pub overlap: usize,
    /// A group after the other, `pitch` floats apart.
    pub groups: &'a [f32],
    pub pitch: usize,
}

impl Sizes<'_> {
    fn rows(&self) -> Range<usize> {
        met(self.shape, self.strip, self.margin[0], TILE * self.strip.down + self.overlap)
    }

    /// The largest of all groups, in `to` where there are several.
    fn combine<'b>(&'b self, level: SimdLevel, to: &'b mut [f32]) -> &'b [f32] {
        let len = self.rows().len() * self.shape.width;
        if self.groups.len() <= self.pitch {
            return &self.groups[..len];
        }
        let to = &mut to[..len];
        to.copy_from_slice(&self.groups[..len]);
        for group in self.groups[self.pitch..].chunks_exact(self.pitch) {
            take_larger(level, to, group);
        }
        to
    }

    /// Writes the sizes `all` into rows of `columns`, zeros where there is no image.
    fn pad(&self, to: &mut [f32], all: &[f32], columns: usize) {
        to.fill(0.0);
        let width = self.shape.width;
        for (row, sizes) in self.rows().zip(all.chunks_exact(width.max(1))) {
            to[row * columns + self.margin[1]..][..width].copy_from_slice(sizes);
        }
    }

    /// Calls `tile(row, column)` for each tile.
    pub fn all(&self, mut tile: impl FnMut(usize, usize)) {
        for i in 0..self.strip.down {
            (0..self.strip.across).for_each(|j| tile(i, j));
        }
    }

    /// Calls `tile(row, column)` for each tile of inputs whose outputs need another form, those of
    /// `to` being the outputs. `memory` is that of a strip.
    pub fn beyond(
        &self,
        level: SimdLevel,
        to: Planes,
        memory: &mut [f32],
        mut tile: impl FnMut(usize, usize),
    ) {
        let strip = self.strip;
        let (all, memory) = memory.split_at_mut(self.rows().len() * self.shape.width);
        let all = self.combine(level, all);
        // Each window holds a pixel, so the smallest of these is not larger than any window's.
        let [least, most] = extremes(level, all);
        if most == 0.0 || (moderate(most) && most <= RATIO * least) {
            return;
        }
        let columns = TILE * strip.across + 2;
        let len = (TILE * strip.down + 2) * columns;
        let (padded, lines) = memory[..2 * len + 2].split_at_mut(len + 2);
        self.pad(padded, all, columns);
        windows(level, padded, lines, columns);
        for i in 0..strip.down {
            for j in 0..strip.across {
                let (down, across) = tile_outputs(to, strip, i, j);
                let (mut least, mut most) = (f32::INFINITY, 0.0);
                for row in 0..down {
                    for &size in &padded[(TILE * i + row) * columns + TILE * j..][..across] {
                        (least, most) = (smaller(least, size), larger(most, size));
                    }
                }
                if most != 0.0 && !(moderate(most) && most <= RATIO * least) {
                    tile(i, j);
                }
            }
        }
    }
}

/// The smaller of two sizes.
#[inline(always)]
fn smaller(a: f32, b: f32) -> f32 {
    f32::from_bits(a.to_bits().min(b.to_bits()))
}

/// The rows and columns of a tile of a strip that `planes` have.
pub fn tile_outputs(planes: Planes, strip: Strip, i: usize, j: usize) -> (usize, usize) {
    let down = planes.height - TILE * (strip.row + i);
    (down.min(TILE), (planes.width - TILE * j).min(TILE))
}

simd! {
    /// `to = max(to, from)`, for as many as `to` has.
    fn take_larger<A>(to: &mut [f32], from: &[f32]) {
        for (to, &from) in to.iter_mut().zip(from) {
            *to = larger(*to, from);
        }
    }
}

simd! {
    /// The smallest and the largest of some sizes, infinity and 0 of none.
    fn extremes<A>(sizes: &[f32]) -> [f32; 2] {
        let (mut least, mut most) = (f32::INFINITY.to_bits(), 0);
        for size in sizes {
            (least, most) = (least.min(size.to_bits()), most.max(size.to_bits()));
        }
        [f32::from_bits(least), f32::from_bits(most)]
    }
}

simd! {
    /// Replaces each place of `sizes`, rows of `columns` and two more floats, by the largest of the
    /// 3×3 places that begin there; the last two rows and columns are left with anything.
    fn windows<A>(sizes: &mut [f32], lines: &mut [f32], columns: usize) {
        let len = lines.len();
        let (a, b, c) = (&sizes[..len], &sizes[1..][..len], &sizes[2..][..len]);
        for (((line, &a), &b), &c) in lines.iter_mut().zip(a).zip(b).zip(c) {
            *line = larger(larger(a, b), c);
        }
        let len = len - 2 * columns;
        let (a, b, c) = (&lines[..len], &lines[columns..][..len], &lines[2 * columns..][..len]);
        for (((size, &a), &b), &c) in sizes.iter_mut().zip(a).zip(b).zip(c) {
            *size = larger(larger(a, b), c);
        }
    }
}

/// What the errors of a weight's gradient are made of, and what they are compared with.
#[derive(Clone, Copy, Default)]
pub struct Products {
    /// The largest values of both sides of each tile, multiplied and summed; a NaN where one is
    /// not moderate.
    tiles: f64,
    /// For each tap, the products of the sizes that it meets, summed.
    taps: [f64; TAPS],
}

/// The floats of [`Products`] of a strip.
pub const PRODUCTS: usize = TAPS + 1;

impl Products {
    /// Those of a strip, with `memory` for a strip.
    pub fn of_strip(
        level: SimdLevel,
        [x, d_y]: [Sizes<'_>; 2],
        memory: &mut [f32],
    ) -> [f32; PRODUCTS] {
        let strip = x.strip;
        let columns = TILE * strip.across + 2;
        let (x_len, y_len) = ((TILE * strip.down + 2) * columns + 2, TILE * strip.down * columns);
        let (all, memory) = memory.split_at_mut((TILE * strip.down + 2) * columns);
        let (x_sizes, memory) = memory.split_at_mut(x_len);
        let (y_sizes, memory) = memory.split_at_mut(y_len);
        let (x_most, memory) = memory.split_at_mut(columns);
        let y_most = &mut memory[..columns];
        x.pad(x_sizes, x.combine(level, all), columns);
        // In rows as long as those of the inputs, so that a tap is a shift.
        d_y.pad(y_sizes, d_y.combine(level, all), columns);
        let mut products = [0.0; PRODUCTS];
        for i in 0..strip.down {
            let start = TILE * i * columns;
            most_of_columns(level, x_most, &x_sizes[start..], TILE + 2);
            most_of_columns(level, y_most, &y_sizes[start..], TILE);
            for j in 0..strip.across {
                let most = |sizes: &[f32]| sizes.iter().fold(0.0, |a, &b| larger(a, b));
                let x = most(&x_most[TILE * j..][..TILE + 2]);
                let d_y = most(&y_most[TILE * j..][..TILE]);
                let product = if moderate(x) && moderate(d_y) { x * d_y } else { f32::NAN };
                products[TAPS] += product;
            }
        }
        let taps = tap_products(level, x_sizes, y_sizes, columns);
        products[..TAPS].copy_from_slice(&taps);
        products
    }

    /// Adds those of a strip.
    pub fn add(&mut self, strip: &[f32]) {
        self.tiles += f64::from(strip[TAPS]);
        for (sum, &products) in self.taps.iter_mut().zip(strip) {
            *sum += f64::from(products);
        }
    }

    /// Whether the bound holds.
    pub fn fit(&self) -> bool {
        self.taps.iter().all(|&tap| self.tiles <= GRADIENT_RATIO * tap)
    }
}

simd! {
    /// The largest of each column of the first `rows` rows.
    fn most_of_columns<A>(most: &mut [f32], sizes: &[f32], rows: usize) {
        most.fill(0.0);
        for row in sizes.chunks_exact(most.len()).take(rows) {
            for (most, &size) in most.iter_mut().zip(row) {
                *most = larger(*most, size);
            }
        }
    }
}

simd! {
    /// The sums of `d_y · x` for each tap, both in rows of `columns`.
    fn tap_products<A>(x: &[f32], d_y: &[f32], columns: usize) -> [f32; TAPS] {
        const STEP: usize = 16;
        let mut sums = [[0.0; STEP]; TAPS];
        let (steps, rest) = d_y.as_chunks::<STEP>();
        for (i, d_y) in steps.iter().enumerate() {
            for (tap, sums) in sums.iter_mut().enumerate() {
                let x: &[f32; STEP] = x[STEP * i + tap / 3 * columns + tap % 3..][..STEP]
                    .try_into()
                    .expect("a step");
                for lane in 0..STEP {
                    sums[lane] = A::mul_add(x[lane], d_y[lane], sums[lane]);
                }
            }
        }
        std::array::from_fn(|tap| {
            let x = &x[d_y.len() - rest.len() + tap / 3 * columns + tap % 3..];
            let rest = x.iter().zip(rest).map(|(x, d_y)| x * d_y).sum::<f32>();
            rest + sums[tap].iter().sum::<f32>()
        })
    }
}
