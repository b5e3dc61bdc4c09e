//! 3×3 windows with stride 1 by minimal filtering (S. Winograd, Arithmetic Complexity of
//! Computations, 1980; for convolutional networks: A. Lavin, S. Gray, 2015), F(4×4, 3×3):
//!
//! `y = Aᵀ [Σ_c (G w Gᵀ) ⊙ (Bᵀ d B)] A`
//!
//! for each tile `y` of 4×4 outputs and the tile `d` of 6×6 inputs below it. The sum over channels
//! is a product of matrices for each of the 36 points, with a quarter of the multiplications of the
//! plain sum. The gradient of the input is the same for weights turned and transposed, and the
//! gradient of the weight is the adjoint, `Gᵀ [Σ (Bᵀ d B) ⊙ (A d_y Aᵀ)] G`.
//!
//! The price is accuracy. Transforms sum terms larger than their result: the rows of `Bᵀ`, `G` and
//! `Aᵀ` have absolute sums of at most 10, 1 and 19. Measured on random data, errors are about seven
//! times those of the plain sum.
//!
//! # What an output does not see
//!
//! Transforms mix a tile, so each of its values is part of the error of all 16 outputs. With `n`
//! channels, `ε = 2^-24`, `λ = 4` (N. Higham, T. Mary, A new approach to probabilistic rounding
//! error analysis, 2019) and `N = |Aᵀ| (|G| 1 ⊙ |Bᵀ| 1) = (16, 17, 24, 48)`, output `(i, j)` of a
//! tile is off by at most
//!
//! `E = λ √(n + 36) ε · n · Nᵢ Nⱼ · max |w| · max_tile |d|`.
//!
//! That is relative to the tile. It becomes relative to the window by a look at the largest
//! absolute value of all channels at each place, which is taken while tiles are loaded ([`range`]):
//! where
//!
//! `max_tile |d| ≤ 16 · max_window |d|` for each window of the tile,
//!
//! the error is at most `E` with `16 · max_window |d|` in place of the last factor. All other tiles
//! are computed as plain sums ([`patch`]), with their error, `(9n + 2) ε Σ |w| |d|`. So a value
//! that is not finite reaches the windows that hold it alone, and a window of zeros gives zeros.
//! Values outside of `1e-25..1e12` count as not finite: `10² · 19² · 1e24 · n` is far from the
//! largest number, and what transforms lose below the normal range, `2^-150 · 10² · 19² · 1e12`,
//! far below `1e-25`.
//!
//! Weights are looked at before they are transformed ([`suit`]). A tap that is zero in a filter
//! with others, as in a masked convolution, would let a little of what it hides through, and a tap
//! that is large would disturb outputs at which it meets padding or zeros. So each filter has no
//! zero or is all zeros, and for each output channel the largest weight of each tap is at least
//! 1/64 of the largest of all; other weights are left to plain sums.
//!
//! The gradient of a weight sums over all tiles; with
//! `M = |Gᵀ| (|A| 1 ⊙ |Bᵀ| 1) = (70, 85, 160) / 3` it is off by at most
//! `λ √(t + 36) ε · Mᵢ Mⱼ · T`, `T = Σ_tiles max |d| · max |d_y|`, for `t` tiles. It is kept where
//! `T` is at most 4 times `Σ |d| |d_y|`, the sum of products that the tap sees, of the largest
//! value of all channels at each place, and else computed once more as a plain sum.

mod patch;
mod plan;
mod product;
mod range;
mod strip;
mod suit;
mod transform;
mod weight_grad;
mod weights;

pub(super) use product::{forward, forward_prepared, input_grad, prepare, prepared_len};
pub(super) use weight_grad::weight_grad;

use super::{Conv2dSpec, Pass, max, min};
use crate::ops::{product as size, sum};

/// Rows and columns of a tile of outputs.
const TILE: usize = 4;
/// Points of a transformed tile.
const POINTS: usize = 36;
/// Weights of a filter.
const TAPS: usize = 9;
/// Lanes of the widest vector: channels of transformed tiles are padded to a multiple.
const LANES: usize = 16;
/// Channels of a product at a time.
const BLOCK: usize = 32;
/// Scratch areas for parts of the work, which bounds the number of threads.
const SLOTS: usize = 16;
/// The floats of a strip, unless one row of tiles has more: it stays in the first-level cache.
const STRIP: usize = 6 << 10;

/// Whether convolutions of these sizes can be computed so.
pub(super) const fn fits(spec: &Conv2dSpec) -> bool {
    let [kernel, stride, dilation] = [spec.kernel, spec.stride, spec.dilation];
    kernel[0] == 3
        && kernel[1] == 3
        && stride[0] == 1
        && stride[1] == 1
        && dilation[0] == 1
        && dilation[1] == 1
        && spec.padding[0] <= 2
        && spec.padding[1] <= 2
        && spec.groups == 1
}

/// Whether it is faster than all others: transforms cost as much for one channel as for a register.
pub(super) const fn pays(spec: &Conv2dSpec) -> bool {
    spec.in_channels >= LANES && spec.out_channels >= LANES
}

/// The floats of scratch of a pass.
pub(super) const fn scratch(spec: &Conv2dSpec, pass: Pass) -> usize {
    match pass {
        Pass::Forward => plan::Plan::forward(spec).scratch(),
        Pass::InputGrad => plan::Plan::backward(spec).scratch(),
        Pass::WeightGrad => weight_grad::Plan::new(spec).scratch(),
    }
}

/// As much for all smaller planes and batches.
pub(super) const fn most_scratch(spec: &Conv2dSpec, pass: Pass) -> usize {
    match pass {
        Pass::Forward => plan::Plan::forward(spec).most_scratch(),
        Pass::InputGrad => plan::Plan::backward(spec).most_scratch(),
        Pass::WeightGrad => weight_grad::Plan::new(spec).most_scratch(),
    }
}

/// Tiles of an image, the least that are worth transformed weights: these take four times the
/// memory, and with few tiles reading them should take longer than what a quarter of the
/// multiplications saves. The number is an estimate from the bytes read.
const PREPARED_TILES: usize = 16;

/// Whether transformed weights are worth keeping, whatever the batch; for planes of any size they
/// are, since some may be large.
pub(super) const fn prepares(spec: &Conv2dSpec) -> bool {
    fits(spec) && pays(spec) && (spec.any_size || serves(spec))
}

/// Whether transformed weights are worth using for planes of this size.
pub(super) const fn serves(spec: &Conv2dSpec) -> bool {
    let to = Planes::outputs(spec);
    size([to.down(), to.across()]) >= PREPARED_TILES
}

/// Images of channels.
#[derive(Clone, Copy)]
struct Planes {
    images: usize,
    channels: usize,
    height: usize,
    width: usize,
}

impl Planes {
    const fn inputs(spec: &Conv2dSpec) -> Self {
        let (channels, height, width) = (spec.in_channels, spec.height, spec.width);
        Self { images: spec.batch, channels, height, width }
    }

    const fn outputs(spec: &Conv2dSpec) -> Self {
        let (height, width) = (spec.out_height(), spec.out_width());
        Self { images: spec.batch, channels: spec.out_channels, height, width }
    }

    /// At most so many of the images.
    const fn few(self, images: usize) -> Self {
        Self { images: min(self.images, images), ..self }
    }

    /// Rows of tiles.
    const fn down(&self) -> usize {
        self.height.div_ceil(TILE)
    }

    /// Columns of tiles.
    const fn across(&self) -> usize {
        self.width.div_ceil(TILE)
    }

    /// The most rows of tiles in a strip.
    const fn strip_down(&self) -> usize {
        let columns = size([TILE * self.across() + 2, LANES]);
        let fit = (STRIP / max(columns, 1)).saturating_sub(2) / TILE;
        min(max(fit, 1), max(self.down(), 1))
    }

    /// Floats of the memory for a strip, with the margins of its tiles of inputs.
    const fn strip_len(&self) -> usize {
        size([TILE * self.strip_down() + 2, TILE * self.across() + 2, LANES])
    }

    /// The most tiles of a strip.
    const fn strip_tiles(&self) -> usize {
        size([self.strip_down(), self.across()])
    }

    /// As many tiles as a strip of no smaller planes has more of. A strip of several rows of tiles
    /// has at most [`STRIP`] floats, sixteen values of all lanes for each tile.
    const fn most_strip_tiles(&self) -> usize {
        let across = self.across();
        min(max(STRIP / (TILE * TILE * LANES), across), size([self.down(), across]))
    }

    /// The same for the floats of a strip.
    const fn most_strip_len(&self) -> usize {
        let row = size([TILE * self.across() + 2, LANES]);
        min(max(STRIP, size([TILE + 2, row])), size([TILE * self.down() + 2, row]))
    }

    /// The same for the tiles of a block of strips, which are `tiles` unless one strip has more.
    /// The last strip of an image may have fewer rows than others, which counts as twice the rows.
    const fn most_block_tiles(&self, tiles: usize) -> usize {
        let all = size([2, self.images, self.down(), self.across()]);
        min(max(tiles, self.most_strip_tiles()), all)
    }

    /// Strips of an image.
    const fn image_strips(&self) -> usize {
        self.down().div_ceil(self.strip_down())
    }

    /// All strips.
    const fn strips(&self) -> usize {
        size([self.images, self.image_strips()])
    }

    fn strip(&self, index: usize) -> Strip {
        let (image, row) = (index / self.image_strips(), index % self.image_strips());
        let row = row * self.strip_down();
        let down = self.strip_down().min(self.down() - row);
        let first = (image * self.down() + row) * self.across();
        Strip { image, row, down, across: self.across(), first }
    }

    /// The floats of an image.
    const fn image_len(&self) -> usize {
        size([self.channels, self.height, self.width])
    }

    /// The distance between transformed tiles: not a power of two, so that they spread over the
    /// sets of a cache.
    const fn tile_len(&self) -> usize {
        size([self.channels.div_ceil(LANES) + 1, LANES])
    }

    /// The distance between points of so many transformed tiles.
    const fn point_len(&self, tiles: usize) -> usize {
        sum([size([self.tile_len(), tiles]), LANES])
    }
}

/// Consecutive rows of the tiles of an image.
#[derive(Clone, Copy)]
struct Strip {
    image: usize,
    /// The first row of tiles.
    row: usize,
    down: usize,
    across: usize,
    /// The first tile, counted over all images.
    first: usize,
}
