//! The tiles of a block of channels, and sums over one.

use super::cpu::{Blocks, LANES, TILE, WIDTH};
use crate::math::Arith;

/// What is added up: the sums with one more element of each tensor in them.
pub(super) trait Term<const K: usize> {
    fn add<A: Arith>(sums: [f32; K], a: f32, b: f32, centre: f32) -> [f32; K];
}

/// `Σ a`
pub(super) struct Plain;

/// `Σ (a − centre)` and `Σ (a − centre)²`
pub(super) struct Around;

/// `Σ a · (b − centre)` and `Σ a`
pub(super) struct Products;

impl Term<1> for Plain {
    #[inline(always)]
    fn add<A: Arith>([sum]: [f32; 1], a: f32, _: f32, _: f32) -> [f32; 1] {
        [sum + a]
    }
}

impl Term<2> for Around {
    #[inline(always)]
    fn add<A: Arith>([away, squares]: [f32; 2], a: f32, _: f32, centre: f32) -> [f32; 2] {
        let distance = a - centre;
        [away + distance, A::mul_add(distance, distance, squares)]
    }
}

impl Term<2> for Products {
    #[inline(always)]
    fn add<A: Arith>([products, plain]: [f32; 2], a: f32, b: f32, centre: f32) -> [f32; 2] {
        [A::mul_add(a, b - centre, products), plain + a]
    }
}

/// `lanes ← T(lanes, a, b, centre)`, lane by lane.
#[inline(always)]
pub(super) fn add<A: Arith, T: Term<K>, const K: usize>(
    lanes: &mut [[f32; LANES]; K],
    a: &[f32; LANES],
    b: &[f32; LANES],
    centre: &[f32; LANES],
) {
    for j in 0..LANES {
        let sums = T::add::<A>(std::array::from_fn(|k| lanes[k][j]), a[j], b[j], centre[j]);
        for k in 0..K {
            lanes[k][j] = sums[k];
        }
    }
}

/// The same for the first lanes alone.
#[inline(always)]
pub(super) fn add_some<A: Arith, T: Term<K>, const K: usize>(
    lanes: &mut [[f32; LANES]; K],
    (a, b): (&[f32], &[f32]),
    centre: &[f32; LANES],
) {
    for (j, (a, b)) in a.iter().zip(b).enumerate().take(LANES) {
        let sums = T::add::<A>(std::array::from_fn(|k| lanes[k][j]), *a, *b, centre[j]);
        for k in 0..K {
            lanes[k][j] = sums[k];
        }
    }
}

/// A tile: `rows` rows of `len` neighbours in two tensors (or in one, twice), `stride` apart.
#[derive(Clone, Copy)]
pub(super) struct Tile<'a> {
    pub a: &'a [f32],
    pub b: &'a [f32],
    pub stride: usize,
    pub rows: usize,
    pub len: usize,
}

impl<'a> Tile<'a> {
    /// Elements `from..from + LANES` of row `i`.
    #[inline(always)]
    pub(super) fn piece(&self, i: usize, from: usize) -> [&'a [f32; LANES]; 2] {
        let at = i * self.stride + from;
        [self.a, self.b].map(|x| x[at..at + LANES].first_chunk().expect("LANES elements"))
    }

    /// The elements of row `i` from `from` on.
    #[inline(always)]
    pub(super) fn rest(&self, i: usize, from: usize) -> (&'a [f32], &'a [f32]) {
        let (start, end) = (i * self.stride + from, i * self.stride + self.len);
        (&self.a[start..end], &self.b[start..end])
    }

    /// The sums of each column.
    #[inline(always)]
    pub(super) fn columns<A: Arith, T: Term<K>, const K: usize>(
        self,
        centre: &[f32; WIDTH],
    ) -> [[f32; WIDTH]; K] {
        let mut sums = [[0.0; WIDTH]; K];
        for from in (0..self.len).step_by(LANES) {
            let centre = centre[from..].first_chunk().expect("WIDTH is whole lanes");
            let mut lanes = [[0.0; LANES]; K];
            if self.len - from >= LANES {
                for i in 0..self.rows {
                    let [a, b] = self.piece(i, from);
                    add::<A, T, K>(&mut lanes, a, b, centre);
                }
            } else {
                let mut some = [[0.0; LANES]; K];
                for i in 0..self.rows {
                    add_some::<A, T, K>(&mut some, self.rest(i, from), centre);
                }
                lanes = some;
            }
            for k in 0..K {
                sums[k][from..from + LANES].copy_from_slice(&lanes[k]);
            }
        }
        sums
    }

    /// The sums of all elements.
    #[inline(always)]
    pub(super) fn whole<A: Arith, T: Term<K>, const K: usize>(self, centre: f32) -> [f64; K] {
        let centre = [centre; LANES];
        let (mut lanes, mut some) = ([[0.0; LANES]; K], [[0.0; LANES]; K]);
        let full = self.len - self.len % LANES;
        for i in 0..self.rows {
            for from in (0..full).step_by(LANES) {
                let [a, b] = self.piece(i, from);
                add::<A, T, K>(&mut lanes, a, b, &centre);
            }
        }
        if full < self.len {
            for i in 0..self.rows {
                add_some::<A, T, K>(&mut some, self.rest(i, full), &centre);
            }
        }
        let mut sums = [0.0; K];
        for k in 0..K {
            for j in 0..LANES {
                sums[k] += f64::from(lanes[k][j]) + f64::from(some[k][j]);
            }
        }
        sums
    }
}

/// The tiles of a block, one behind the other.
pub(super) struct Tiles<'a> {
    a: &'a [f32],
    b: &'a [f32],
    blocks: Blocks,
    first: usize,
    /// What a block has of a sample.
    width: usize,
    /// The rows of a tile and the length of each: long rows are cut, of short ones a tile has many.
    rows: usize,
    len: usize,
    row: usize,
    column: usize,
}

impl<'a> Tiles<'a> {
    pub(super) fn new(a: &'a [f32], b: &'a [f32], block: usize, blocks: Blocks) -> Self {
        let (spec, channel) = (blocks.spec, block * blocks.channels);
        let width = blocks.channels.min(spec.channels - channel) * spec.inner;
        let tile = if blocks.channels == 1 { TILE } else { LANES * WIDTH };
        let (rows, len) = ((tile / width.max(1)).clamp(1, LANES), width.clamp(1, TILE));
        Self { a, b, blocks, first: channel * spec.inner, width, rows, len, row: 0, column: 0 }
    }
}

impl<'a> Iterator for Tiles<'a> {
    type Item = Tile<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<Tile<'a>> {
        if self.column >= self.width {
            (self.row, self.column) = (self.row + self.rows, 0);
        }
        let batch = self.blocks.spec.batch;
        if self.row >= batch || self.width == 0 {
            return None;
        }
        let stride = self.blocks.row();
        let start = self.row * stride + self.first + self.column;
        let (rows, len) = (self.rows.min(batch - self.row), self.len.min(self.width - self.column));
        self.column += len;
        Some(Tile { a: &self.a[start..], b: &self.b[start..], stride, rows, len })
    }
}
