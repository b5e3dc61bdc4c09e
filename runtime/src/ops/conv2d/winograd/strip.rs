//! Strips of an image: some rows of its tiles, in the layout `[row, column, lane]` with a channel
//! in each lane, between planes in memory and the transformed tiles `[36, tile, channel]`.

use std::ops::Range;

use super::range::met;
use super::transform::{Input, Output, OutputGrad, Transform, both};
use super::{LANES, POINTS, Planes, Strip, TILE};
use crate::math::SimdLevel;
use crate::math::{MAX_LANES, Vector, by_level};

/// Where transformed tiles lie: that of a point, a tile and a channel is at
/// `point · self.point + tile · self.tile + channel`.
#[derive(Clone, Copy)]
pub struct Points {
    pub start: *mut f32,
    pub point: usize,
    pub tile: usize,
}

/// Transforms the tiles of one strip, a range of channels.
#[derive(Clone, Copy)]
pub struct Gather {
    /// The first plane of the image.
    pub planes: *const f32,
    pub shape: Planes,
    pub strip: Strip,
    /// `[first, end)`, the first one a multiple of [`LANES`].
    pub channels: (usize, usize),
    /// The rows and columns above and left of the first tile.
    pub margin: [usize; 2],
    /// Memory for a strip.
    pub rows: *mut f32,
    /// The largest absolute value of these channels at each place of the rows of the image that the
    /// strip meets.
    pub sizes: *mut f32,
    /// The tiles of this strip.
    pub points: Points,
}

impl Gather {
    /// `Bᵀ d B` of tiles of 6×6 that overlap by 2.
    ///
    /// # Safety
    /// The memory described above is lent for this call, all but `planes` to write; points have
    /// room for channels up to a multiple of [`LANES`].
    pub unsafe fn inputs(&self, level: SimdLevel) {
        by_level!(level, gather_inputs(self => &Gather));
    }

    /// `A d Aᵀ` of tiles of 4×4.
    ///
    /// # Safety
    /// The memory described above is lent for this call, all but `planes` to write; points have
    /// room for channels up to a multiple of [`LANES`].
    pub unsafe fn output_grads(&self, level: SimdLevel) {
        by_level!(level, gather_output_grads(self => &Gather));
    }
}

#[inline(always)]
unsafe fn gather_inputs<V: Vector, const ROWS: usize>(gather: &Gather) {
    // SAFETY: the caller of `inputs` lends the memory, and `by_level` has the instruction set of
    // `V`.
    unsafe { gather_tiles::<Input, V, 6>(gather) }
}

#[inline(always)]
unsafe fn gather_output_grads<V: Vector, const ROWS: usize>(gather: &Gather) {
    // SAFETY: the caller of `output_grads` lends the memory, and `by_level` has the instruction set
    // of `V`.
    unsafe { gather_tiles::<OutputGrad, V, 4>(gather) }
}

#[inline(always)]
unsafe fn gather_tiles<T: Transform<N, 6>, V: Vector, const N: usize>(gather: &Gather) {
    let Gather { strip, points, .. } = *gather;
    let columns = TILE * strip.across + N - TILE;
    let (first, end) = gather.channels;
    for channel in (first..end).step_by(V::LANES) {
        // SAFETY: `load_rows` fills `rows` of `columns`, which tiles of `N` rows and columns, four
        // apart, do not leave; the caller lends points of these tiles, with channels up to a
        // multiple of `LANES`.
        unsafe {
            load_rows::<V>(gather, channel, (TILE * strip.down + N - TILE, columns));
            for i in 0..strip.down {
                for j in 0..strip.across {
                    let from = gather.rows.add(TILE * (i * columns + j) * V::LANES);
                    let mut tile = [[V::splat(0.0); N]; N];
                    for (r, row) in tile.iter_mut().enumerate() {
                        for (c, x) in row.iter_mut().enumerate() {
                            *x = V::load(from.add((r * columns + c) * V::LANES));
                        }
                    }
                    let tile = both::<T, V, N, 6>(tile);
                    let to = points.start.add((i * strip.across + j) * points.tile + channel);
                    for (r, row) in tile.iter().enumerate() {
                        for (c, x) in row.iter().enumerate() {
                            x.store(to.add((6 * r + c) * points.point));
                        }
                    }
                }
            }
        }
    }
}

/// Fills the `rows` and `columns` of a strip with some channels, zeros where there is no image.
#[inline(always)]
unsafe fn load_rows<V: Vector>(gather: &Gather, channel: usize, (rows, columns): (usize, usize)) {
    let Gather { shape: Planes { channels, height, width, .. }, strip, .. } = *gather;
    let [above, left] = gather.margin;
    let top = TILE * strip.row;
    let Range { start: first, end } = met(gather.shape, strip, above, rows);
    // SAFETY: rows of the strip are `columns` registers, of which `left..left + width` are those of
    // the image, in the rows that `met` says; the caller lends both, and sizes for each place of
    // these rows. Planes are read by masks up to the last channel and the last place. It has the
    // instruction set of `V`.
    unsafe {
        let zero = V::splat(0.0);
        for row in 0..rows {
            let to = gather.rows.add(row * columns * V::LANES);
            let inside = row >= first && row < end;
            let (margin, rest) = if inside { (left, left + width) } else { (columns, columns) };
            (0..margin).for_each(|c| zero.store(to.add(c * V::LANES)));
            (rest..columns).for_each(|c| zero.store(to.add(c * V::LANES)));
        }
        if first == end {
            return;
        }
        let plane = height * width;
        let from = gather.planes.add(channel * plane + (top + first - above) * width);
        let lanes = (channels - channel).min(V::LANES);
        let mut to = gather.rows.add((first * columns + left) * V::LANES);
        let (len, mut column) = ((end - first) * width, 0);
        for at in (0..len).step_by(V::LANES) {
            let count = (len - at).min(V::LANES);
            let mut square = [zero; MAX_LANES];
            let mask = V::mask(count);
            let to_sizes = gather.sizes.add(at);
            let start = channel == gather.channels.0;
            let mut sizes = if start { zero } else { V::load_part(to_sizes, mask) };
            if count == V::LANES && lanes == V::LANES {
                for (i, row) in square.iter_mut().enumerate().take(V::LANES) {
                    *row = V::load(from.add(i * plane + at));
                    sizes = sizes.larger_size(*row);
                }
            } else {
                for (i, row) in square.iter_mut().enumerate().take(V::LANES) {
                    if i < lanes {
                        *row = V::load_part(from.add(i * plane + at), mask);
                        sizes = sizes.larger_size(*row);
                    }
                }
            }
            sizes.store_part(to_sizes, mask);
            V::transpose(&mut square);
            for (i, position) in square.iter().enumerate().take(V::LANES) {
                if i < count {
                    position.store(to);
                    (to, column) = (to.wrapping_add(V::LANES), column + 1);
                    if column == width {
                        (to, column) = (to.wrapping_add((columns - width) * V::LANES), 0);
                    }
                }
            }
        }
    }
}

/// Computes the planes of one strip from the products of its tiles, `Aᵀ m A`, for some channels.
#[derive(Clone, Copy)]
pub struct Scatter {
    /// The first of these planes of the image.
    pub planes: *mut f32,
    pub shape: Planes,
    pub strip: Strip,
    pub channels: usize,
    /// Memory for a strip.
    pub rows: *mut f32,
    /// The tiles of this strip.
    pub points: Points,
}

impl Scatter {
    /// # Safety
    /// The memory described above is lent for this call, all but `points` to write; points have
    /// whole registers of channels.
    pub unsafe fn run(&self, level: SimdLevel) {
        by_level!(level, scatter(self => &Scatter));
    }
}

#[inline(always)]
unsafe fn scatter<V: Vector, const ROWS: usize>(scatter: &Scatter) {
    let Scatter { shape: Planes { height, width, .. }, strip, points, .. } = *scatter;
    let rows = (TILE * strip.down).min(height - TILE * strip.row);
    for channel in (0..scatter.channels).step_by(V::LANES) {
        // SAFETY: the caller lends the points of these tiles, whole registers of channels, memory
        // for the strip, in which places are stored that the planes have, and these planes, of
        // which a mask and `lanes` choose what exists. It has the instruction set of `V`.
        unsafe {
            for i in 0..strip.down {
                for j in 0..strip.across {
                    let from = points.start.add((i * strip.across + j) * points.tile + channel);
                    let mut tile = [[V::splat(0.0); 6]; 6];
                    for (r, row) in tile.iter_mut().enumerate() {
                        for (c, x) in row.iter_mut().enumerate() {
                            *x = V::load(from.add((6 * r + c) * points.point));
                        }
                    }
                    let tile = both::<Output, V, 6, 4>(tile);
                    let to = scatter.rows.add(TILE * (i * width + j) * V::LANES);
                    for (r, row) in tile.iter().enumerate() {
                        for (c, x) in row.iter().enumerate() {
                            if TILE * i + r < rows && TILE * j + c < width {
                                x.store(to.add((r * width + c) * V::LANES));
                            }
                        }
                    }
                }
            }
            let plane = height * width;
            let to = scatter.planes.add(channel * plane + TILE * strip.row * width);
            let lanes = (scatter.channels - channel).min(V::LANES);
            let len = rows * width;
            for at in (0..len).step_by(V::LANES) {
                let count = (len - at).min(V::LANES);
                let mut square = [V::splat(0.0); MAX_LANES];
                for (i, position) in square.iter_mut().enumerate().take(V::LANES) {
                    if i < count {
                        *position = V::load(scatter.rows.add((at + i) * V::LANES));
                    }
                }
                V::transpose(&mut square);
                let mask = V::mask(count);
                for (i, row) in square.iter().enumerate().take(V::LANES) {
                    if i < lanes {
                        row.store_part(to.add(i * plane + at), mask);
                    }
                }
            }
        }
    }
}

const _: () = assert!(LANES >= MAX_LANES && POINTS == 36);
