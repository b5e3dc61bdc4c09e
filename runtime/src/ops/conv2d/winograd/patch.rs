//! The outputs of some tiles as plain sums, where transforms would not keep their promise.

use super::range::tile_outputs;
use super::weights::Filters;
use super::{BLOCK, Planes, Strip, TAPS, TILE};
use crate::math::SimdLevel;
use crate::ops::matmul::{Panel, Tiling};

/// Tiles that are summed at a time.
const TILES: usize = 2;
/// Their outputs.
const COLUMNS: usize = TILES * TILE * TILE;
/// Input channels that are summed at a time.
const TERMS: usize = 16;

/// The floats of memory: the sums, and the windows of some channels.
pub const PATCH: usize = BLOCK * COLUMNS + TERMS * TAPS * COLUMNS;

/// Tiles of one strip, for a block of output channels.
pub struct Patch<'a> {
    pub level: SimdLevel,
    /// The image, its planes, and the rows and columns above and left of the first tile.
    pub x: &'a [f32],
    pub from: Planes,
    pub margin: [usize; 2],
    pub strip: Strip,
    /// The planes of the results, of which `channels` begin at `y`.
    pub to: Planes,
    pub y: *mut f32,
    pub channels: usize,
    /// The weights of these channels, from some term on.
    pub filters: &'a dyn Fn(usize) -> Filters,
    /// [`PATCH`] floats.
    pub memory: &'a mut [f32],
    /// The tiles that wait.
    pub waiting: [(usize, usize); TILES],
    pub count: usize,
}

impl Patch<'_> {
    /// Takes a tile.
    ///
    /// # Safety
    /// The planes of the results at `y` are lent to write, and the weights of `filters` to read.
    pub unsafe fn take(&mut self, i: usize, j: usize) {
        self.waiting[self.count] = (i, j);
        self.count += 1;
        if self.count == TILES {
            // SAFETY: the caller lends the planes and the weights.
            unsafe { self.finish() };
        }
    }

    /// Computes the tiles that wait.
    ///
    /// # Safety
    /// The planes of the results at `y` are lent to write, and the weights of `filters` to read.
    pub unsafe fn finish(&mut self) {
        let (columns, tiling) = (self.count * TILE * TILE, Tiling::of(self.level));
        if columns == 0 {
            return;
        }
        for first in (0..self.from.channels).step_by(TERMS) {
            let terms = TERMS.min(self.from.channels - first);
            let filters = (self.filters)(first);
            self.gather(first, terms, filters.rotated);
            let (sums, windows) = self.memory.split_at_mut(BLOCK * COLUMNS);
            let panel_rows = tiling.panel_rows(self.channels);
            // Taps are neighbours, and in the forward pass so are terms.
            let each = if filters.term == TAPS { terms } else { 1 };
            for row in (0..self.channels).step_by(panel_rows) {
                for term in (0..terms).step_by(each) {
                    // SAFETY: rows `row..` are below `channels`, and terms below those of the
                    // image: the caller lends their weights. `gather` filled `TAPS` rows of
                    // `COLUMNS` for each term, and `sums` has `BLOCK` rows of as many.
                    unsafe {
                        Panel {
                            rows: panel_rows.min(self.channels - row),
                            cols: columns,
                            k: each * TAPS,
                            a: filters.w.add(row * filters.channel + term * filters.term),
                            a_row: filters.channel,
                            a_k: 1,
                            b: windows[term * TAPS * COLUMNS..].as_ptr(),
                            b_row: COLUMNS,
                            b_panel: tiling.cols,
                            c: sums[row * COLUMNS..].as_mut_ptr(),
                            c_row: COLUMNS,
                            accumulate: first + term > 0,
                        }
                        .run(self.level);
                    }
                }
            }
        }
        let (plane, width) = (self.to.height * self.to.width, self.to.width);
        for (n, &(i, j)) in self.waiting[..self.count].iter().enumerate() {
            let (down, across) = tile_outputs(self.to, self.strip, i, j);
            for channel in 0..self.channels {
                for row in 0..down {
                    let at = channel * COLUMNS + n * TILE * TILE + row * TILE;
                    let sums = &self.memory[at..][..across];
                    let place = (TILE * (self.strip.row + i) + row) * width + TILE * j;
                    // SAFETY: `tile_outputs` gives the rows and columns of this tile that the
                    // planes have; the caller lends `channels` planes, and nothing of them is in
                    // `memory`.
                    unsafe {
                        let y = self.y.add(channel * plane + place);
                        y.copy_from_nonoverlapping(sums.as_ptr(), across);
                    }
                }
            }
        }
        self.count = 0;
    }

    /// The windows of some channels, `[channel, tap, output]`.
    fn gather(&mut self, first: usize, terms: usize, rotated: bool) {
        let Planes { height, width, .. } = self.from;
        let windows = &mut self.memory[BLOCK * COLUMNS..];
        for (term, windows) in windows.chunks_exact_mut(TAPS * COLUMNS).take(terms).enumerate() {
            let plane = &self.x[(first + term) * height * width..][..height * width];
            for (n, &(i, j)) in self.waiting[..self.count].iter().enumerate() {
                let mut tile = [[0.0; TILE + 2]; TILE + 2];
                for (r, row) in tile.iter_mut().enumerate() {
                    let from = (TILE * (self.strip.row + i) + r).wrapping_sub(self.margin[0]);
                    if from < height {
                        let line = &plane[from * width..][..width];
                        for (c, x) in row.iter_mut().enumerate() {
                            let at = (TILE * j + c).wrapping_sub(self.margin[1]);
                            *x = line.get(at).copied().unwrap_or(0.0);
                        }
                    }
                }
                for tap in 0..TAPS {
                    let shift = if rotated { TAPS - 1 - tap } else { tap };
                    for row in 0..TILE {
                        let to = tap * COLUMNS + n * TILE * TILE + row * TILE;
                        windows[to..][..TILE]
                            .copy_from_slice(&tile[shift / 3 + row][shift % 3..][..TILE]);
                    }
                }
            }
        }
    }
}
