//! How the convolution and the gradient of its input are cut.

use super::patch::PATCH;
use super::{BLOCK, LANES, POINTS, Planes, SLOTS, TILE};
use crate::ops::conv2d::{Conv2dSpec, max, min};
use crate::ops::{product, sum};

/// Floats of a block of transformed inputs, unless one strip has more.
const INPUTS: usize = 3 << 19;
/// Tiles of a part of the work, unless one strip has more.
const TILES: usize = 64;
/// Channels that are summed in registers at a time.
const TERMS: usize = 128;
/// Channels of a strip that are transformed at a time.
pub const CHANNELS: usize = 64;

/// The sizes of a pass: forward, or for the gradient of the input.
#[derive(Clone, Copy)]
pub struct Plan {
    pub from: Planes,
    pub to: Planes,
    pub padding: [usize; 2],
    pub backward: bool,
}

impl Plan {
    pub const fn forward(spec: &Conv2dSpec) -> Self {
        let (from, to) = (Planes::inputs(spec), Planes::outputs(spec));
        Self { from, to, padding: spec.padding, backward: false }
    }

    pub const fn backward(spec: &Conv2dSpec) -> Self {
        let (from, to) = (Planes::outputs(spec), Planes::inputs(spec));
        let padding = [2 - spec.padding[0], 2 - spec.padding[1]];
        Self { from, to, padding, backward: true }
    }

    /// Tiles of a block, unless one strip has more.
    const fn block_tiles(&self) -> usize {
        INPUTS / product([POINTS, self.from.tile_len()])
    }

    /// Strips of a block.
    pub const fn block_strips(&self) -> usize {
        let tiles = self.block_tiles();
        min(max(tiles / max(self.to.strip_tiles(), 1), 1), max(self.to.strips(), 1))
    }

    /// Floats between the points of a block.
    pub const fn point_len(&self) -> usize {
        self.from.point_len(product([self.block_strips(), self.to.strip_tiles()]))
    }

    /// Strips of a part of the work.
    pub const fn part_strips(&self) -> usize {
        min(max(TILES / max(self.to.strip_tiles(), 1), 1), self.block_strips())
    }

    /// Blocks of output channels.
    pub const fn blocks(&self) -> usize {
        self.to.channels.div_ceil(BLOCK)
    }

    /// Terms that are summed at a time.
    pub const fn terms(&self) -> usize {
        self.from.channels.div_ceil(max(self.from.channels.div_ceil(TERMS), 1))
    }

    /// Floats of a block of transformed weights, for some of the terms.
    pub const fn weights_len(&self) -> usize {
        product([POINTS, self.terms(), BLOCK])
    }

    /// Whether weights are transformed where they are used, once each.
    pub const fn once(&self) -> bool {
        self.part_strips() == max(self.to.strips(), 1)
    }

    /// Floats of the transformed weights that are kept.
    pub const fn all_weights_len(&self) -> usize {
        if self.once() { 0 } else { self.prepared_len() }
    }

    /// Floats of all transformed weights.
    pub const fn prepared_len(&self) -> usize {
        let parts = self.from.channels.div_ceil(max(self.terms(), 1));
        product([self.blocks(), parts, self.weights_len()])
    }

    /// Floats of products of a part of the work, and later of the tiles that are summed otherwise.
    pub const fn products_len(&self) -> usize {
        max(product([POINTS, self.part_strips(), self.to.strip_tiles(), BLOCK]), PATCH)
    }

    /// Groups of channels that are transformed at a time.
    pub const fn groups(&self) -> usize {
        self.from.channels.div_ceil(CHANNELS)
    }

    /// Floats of the sizes of a strip, for each group.
    pub const fn sizes_len(&self) -> usize {
        product([TILE * self.to.strip_down() + 2, self.from.width])
    }

    /// Floats of the sizes of a block.
    pub const fn all_sizes_len(&self) -> usize {
        product([self.block_strips(), self.groups(), self.sizes_len()])
    }

    /// Floats of a slot.
    pub const fn slot_len(&self) -> usize {
        let weights = if self.once() { self.weights_len() } else { 0 };
        sum([self.to.strip_len(), self.products_len(), weights])
    }

    /// The floats of scratch for this batch and all smaller ones: few images transform weights in
    /// each slot, which takes more than to keep them.
    pub const fn scratch(&self) -> usize {
        let tiles = min(TILES, self.block_tiles());
        let strips = max(tiles / max(self.to.strip_tiles(), 1), 1);
        let images = strips / max(self.to.image_strips(), 1);
        let few = Self { from: self.from.few(images), to: self.to.few(images), ..*self };
        max(self.own_scratch(), few.own_scratch())
    }

    /// The floats of scratch for this batch.
    const fn own_scratch(&self) -> usize {
        let points = product([POINTS, self.point_len()]);
        let slots = product([SLOTS, self.slot_len()]);
        sum([points, self.all_weights_len(), self.all_sizes_len(), slots])
    }

    /// As much for all smaller planes and batches. The sizes of a tile are those of its inputs, six
    /// rows and columns at most; weights are transformed in each slot, or kept.
    pub const fn most_scratch(&self) -> usize {
        let tiles = self.to.most_block_tiles(self.block_tiles());
        let part = min(max(TILES, self.to.most_strip_tiles()), tiles);
        let points = product([POINTS, self.from.point_len(tiles)]);
        let sizes = product([tiles, self.groups(), (TILE + 2) * (TILE + 2)]);
        let products = max(product([POINTS, part, BLOCK]), PATCH);
        let slots = product([SLOTS, sum([self.to.most_strip_len(), products])]);
        let weights = max(product([SLOTS, self.weights_len()]), self.prepared_len());
        sum([points, sizes, slots, weights])
    }
}

const _: () = assert!(CHANNELS.is_multiple_of(LANES));
