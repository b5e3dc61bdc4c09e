//! The convolution, and the gradient of its input.
//!
//! A block of strips at a time: all of it is transformed into memory that all threads share; then
//! each part of the work is some strips for one block of output channels, from the products to the
//! finished planes, among them the tiles that are summed in another form.

use std::sync::atomic::{AtomicBool, Ordering};

use super::patch::Patch;
use super::plan::{CHANNELS, Plan};
use super::range::Sizes;
use super::strip::{Gather, Points, Scatter};
use super::weights::Filters;
use super::{BLOCK, POINTS, SLOTS, TAPS, TILE};
use crate::device::SharedMut;
use crate::ops::conv2d::Conv2dSpec;
use crate::ops::conv2d::cpu::{Run, share};
use crate::ops::matmul::{Panel, Tiling};

/// `y` from `x` and `w`, and whether it was computed: if not, the weights need another form.
pub fn forward(
    run: Run<'_>,
    y: SharedMut<'_, f32>,
    x: &[f32],
    w: &[f32],
    scratch: &mut [f32],
) -> bool {
    let plan = Plan::forward(&run.spec);
    Pass { run, plan, y, x, weights: Weights::new(run, plan, w) }.run(Source::Given, scratch)
}

/// The floats of all transformed weights.
pub const fn prepared_len(spec: &Conv2dSpec) -> usize {
    Plan::forward(spec).prepared_len()
}

/// Transforms all weights, and says whether they may be used so.
pub fn prepare(run: Run<'_>, prepared: &mut [f32], w: &[f32]) -> bool {
    let weights = Weights::new(run, Plan::forward(&run.spec), w);
    weights.transform(&SharedMut::new(prepared))
}

/// `y` from `x`, weights and their transforms.
pub fn forward_prepared(
    run: Run<'_>,
    y: SharedMut<'_, f32>,
    x: &[f32],
    [w, prepared]: [&[f32]; 2],
    scratch: &mut [f32],
) {
    let plan = Plan::forward(&run.spec);
    let pass = Pass { run, plan, y, x, weights: Weights::new(run, plan, w) };
    pass.run(Source::Prepared(prepared), scratch);
}

/// `d_x` from `d_y` and `w`, and whether it was computed, as in [`forward`].
pub fn input_grad(
    run: Run<'_>,
    d_x: SharedMut<'_, f32>,
    d_y: &[f32],
    w: &[f32],
    scratch: &mut [f32],
) -> bool {
    let plan = Plan::backward(&run.spec);
    let weights = Weights::new(run, plan, w);
    Pass { run, plan, y: d_x, x: d_y, weights }.run(Source::Given, scratch)
}

/// The weights of a pass.
#[derive(Clone, Copy)]
struct Weights<'a> {
    run: Run<'a>,
    plan: Plan,
    w: &'a [f32],
}

impl<'a> Weights<'a> {
    fn new(run: Run<'a>, plan: Plan, w: &'a [f32]) -> Self {
        assert!(w.len() == plan.from.channels * plan.to.channels * TAPS);
        Self { run, plan, w }
    }

    /// Those of a block of channels and some terms, `points` being their transforms.
    fn filters(&self, block: usize, first: usize, points: *mut f32) -> Filters {
        let Plan { from, to, backward, .. } = self.plan;
        let forward_row = self.run.spec.in_channels * TAPS;
        let (term, channel) = if backward { (forward_row, TAPS) } else { (TAPS, forward_row) };
        Filters {
            w: self.w[block * BLOCK * channel + first * term..].as_ptr(),
            term,
            channel,
            rotated: backward,
            terms: self.plan.terms().min(from.channels - first),
            channels: BLOCK.min(to.channels - block * BLOCK),
            points,
        }
    }

    /// Transforms all of them, and says whether they may be used so.
    fn transform(&self, all: &SharedMut<'_, f32>) -> bool {
        let suit = AtomicBool::new(true);
        let (plan, len) = (self.plan, self.plan.weights_len());
        let parts = plan.from.channels.div_ceil(plan.terms());
        self.run.threads.run_if(8 * plan.prepared_len(), plan.blocks() * parts, &|item| {
            let points = all.at(item * len, len);
            let filters = self.filters(item / parts, item % parts * plan.terms(), points);
            // SAFETY: `at` checked this item's own part of the transforms, and `new` that `w` has
            // the weights of all terms and channels, of which `filters` are some.
            unsafe {
                if !filters.suit(self.run.level) {
                    suit.store(false, Ordering::Relaxed);
                }
                filters.transform(self.run.level);
            }
        });
        suit.into_inner()
    }
}

/// Where the transformed weights of a pass come from.
#[derive(Clone, Copy)]
enum Source<'a> {
    /// They are transformed where they are used.
    Given,
    /// All of them, transformed before.
    Prepared(&'a [f32]),
}

struct Pass<'a> {
    run: Run<'a>,
    plan: Plan,
    y: SharedMut<'a, f32>,
    x: &'a [f32],
    weights: Weights<'a>,
}

impl Pass<'_> {
    /// Says whether it was computed.
    fn run(&self, source: Source<'_>, scratch: &mut [f32]) -> bool {
        let plan = self.plan;
        assert!(self.x.len() == plan.from.images * plan.from.image_len());
        let (inputs, rest) = scratch.split_at_mut(POINTS * plan.point_len());
        let (weights, rest) = rest.split_at_mut(plan.all_weights_len());
        let (sizes, rest) = rest.split_at_mut(plan.all_sizes_len());
        let slots = &mut rest[..SLOTS * plan.slot_len()];
        let source = match source {
            Source::Given if !plan.once() => {
                if !self.weights.transform(&SharedMut::new(&mut *weights)) {
                    return false;
                }
                Source::Prepared(weights)
            }
            source => source,
        };
        let strips = plan.to.strips();
        for first in (0..strips).step_by(plan.block_strips()) {
            let strips = plan.block_strips().min(strips - first);
            let shared = [&mut *inputs, &mut *sizes].map(SharedMut::new);
            self.inputs(shared, slots, (first, strips));
            self.products([inputs, sizes], source, slots, (first, strips));
        }
        true
    }

    /// Transforms the inputs of a block of strips, and takes their sizes.
    fn inputs(
        &self,
        [all, sizes]: [SharedMut<'_, f32>; 2],
        slots: &mut [f32],
        strips: (usize, usize),
    ) {
        let (plan, len) = (self.plan, self.plan.slot_len());
        let groups = plan.groups();
        let (first, count) = strips;
        let origin = plan.to.strip(first).first;
        let tile_len = plan.from.tile_len();
        self.run.threads.split(self.run.work(), slots, len, |slot, scratch| {
            for item in share(count * groups, slot, SLOTS) {
                let strip = plan.to.strip(first + item / groups);
                let channel = item % groups * CHANNELS;
                let start = (strip.first - origin) * tile_len;
                let used = (POINTS - 1) * plan.point_len() + strip.down * strip.across * tile_len;
                let image = plan.from.image_len();
                let gather = Gather {
                    planes: self.x[strip.image * image..][..image].as_ptr(),
                    shape: plan.from,
                    strip,
                    channels: (channel, plan.from.channels.min(channel + CHANNELS)),
                    margin: plan.padding,
                    rows: scratch[..plan.to.strip_len()].as_mut_ptr(),
                    sizes: sizes.at(item * plan.sizes_len(), plan.sizes_len()),
                    points: Points {
                        start: all.at(start, used),
                        point: plan.point_len(),
                        tile: tile_len,
                    },
                };
                // SAFETY: the planes are those of one image. `at` checked the sizes and the points
                // of these tiles; items differ in their strip, and so in their tiles, or in their
                // group of channels. `rows` is this slot's memory for a strip.
                unsafe { gather.inputs(self.run.level) };
            }
        });
    }

    /// The results of a block of strips.
    fn products(
        &self,
        inputs: [&[f32]; 2],
        source: Source<'_>,
        slots: &mut [f32],
        (first, count): (usize, usize),
    ) {
        let (plan, len) = (self.plan, self.plan.slot_len());
        let parts = count.div_ceil(plan.part_strips());
        let items = plan.blocks() * parts;
        self.run.threads.split(self.run.work(), slots, len, |slot, scratch| {
            for item in share(items, slot, SLOTS) {
                let (block, part) = (item / parts, item % parts * plan.part_strips());
                let end = count.min(part + plan.part_strips());
                self.part(inputs, source, scratch, block, (first, first + part, first + end));
            }
        });
    }

    /// The results of strips `start..end` of the block of strips that begins at `first`, for one
    /// block of channels.
    fn part(
        &self,
        [inputs, sizes]: [&[f32]; 2],
        source: Source<'_>,
        scratch: &mut [f32],
        block: usize,
        (first, start, end): (usize, usize, usize),
    ) {
        let Plan { from, to, .. } = self.plan;
        let (plan, level) = (self.plan, self.run.level);
        let (rows, rest) = scratch.split_at_mut(to.strip_len());
        let (products, own) = rest.split_at_mut(plan.products_len());
        let (origin, start_tile) = (to.strip(first).first, to.strip(start).first);
        let last = to.strip(end - 1);
        let tiles = last.first + last.down * last.across - start_tile;
        let channels = BLOCK.min(to.channels - block * BLOCK);
        let panel_rows = Tiling::of(level).panel_rows(tiles);
        let points = products.as_mut_ptr();
        let mut suit = true;
        for (i, term) in (0..from.channels).step_by(plan.terms()).enumerate() {
            let terms = plan.terms().min(from.channels - term);
            let weights = match source {
                Source::Given => {
                    // SAFETY: `own` is the rest of this slot's memory, `weights_len` floats where
                    // weights are transformed once; `new` asserted that `w` has the weights of all
                    // terms and channels.
                    unsafe {
                        let filters = self.weights.filters(block, term, own.as_mut_ptr());
                        suit &= filters.suit(level);
                        filters.transform(level);
                    }
                    &own[..]
                }
                Source::Prepared(all) => {
                    let blocks = from.channels.div_ceil(plan.terms());
                    &all[(block * blocks + i) * plan.weights_len()..][..plan.weights_len()]
                }
            };
            for point in 0..POINTS {
                let at = point * plan.point_len() + (start_tile - origin) * from.tile_len() + term;
                let a = &inputs[at..][..(tiles - 1) * from.tile_len() + terms];
                let b = &weights[point * terms * BLOCK..][..terms * BLOCK];
                for row in (0..tiles).step_by(panel_rows) {
                    // SAFETY: `a` has `tiles` rows of `terms`, and `b` as many rows of `BLOCK`, by
                    // their slices; `products` has `BLOCK` floats for each point and tile, and
                    // `channels` is at most `BLOCK`. `panel_rows` is at most `Tiling::rows`.
                    unsafe {
                        Panel {
                            rows: panel_rows.min(tiles - row),
                            cols: channels,
                            k: terms,
                            a: a.as_ptr().add(row * from.tile_len()),
                            a_row: from.tile_len(),
                            a_k: 1,
                            b: b.as_ptr(),
                            b_row: BLOCK,
                            b_panel: Tiling::of(level).cols,
                            c: points.add((point * tiles + row) * BLOCK),
                            c_row: BLOCK,
                            accumulate: i > 0,
                        }
                        .run(level);
                    }
                }
            }
        }
        for strip in start..end {
            let strip = to.strip(strip);
            let plane = to.height * to.width;
            let first = (strip.image * to.channels + block * BLOCK) * plane;
            // SAFETY: `at` checked these planes, of which no other part has these channels of this
            // strip; `rows` is this slot's memory for a strip, and `points` has the products of its
            // tiles, `BLOCK` channels each.
            unsafe {
                Scatter {
                    planes: self.y.at(first, channels * plane),
                    shape: to,
                    strip,
                    channels,
                    rows: rows.as_mut_ptr(),
                    points: Points {
                        start: points.add((strip.first - start_tile) * BLOCK),
                        point: tiles * BLOCK,
                        tile: BLOCK,
                    },
                }
                .run(level);
            }
        }
        for at in start..end {
            let strip = to.strip(at);
            let plane = to.height * to.width;
            let first_plane = (strip.image * to.channels + block * BLOCK) * plane;
            let image = &self.x[strip.image * from.image_len()..][..from.image_len()];
            let groups = plan.groups() * plan.sizes_len();
            let sizes = Sizes {
                shape: from,
                strip,
                margin: plan.padding,
                overlap: 2,
                groups: &sizes[(at - first) * groups..][..groups],
                pitch: plan.sizes_len(),
            };
            let mut patch = Patch {
                level,
                x: image,
                from,
                margin: plan.padding,
                strip,
                to,
                y: self.y.at(first_plane, channels * plane),
                channels,
                filters: &|term| self.weights.filters(block, term, std::ptr::null_mut()),
                memory: &mut *products,
                waiting: Default::default(),
                count: 0,
            };
            // SAFETY: `at` checked these planes, of which this call alone writes the channels of
            // this strip, and their transforms are done; `new` asserted that `w` has the weights of
            // all terms and channels.
            let take = |i, j| unsafe { patch.take(i, j) };
            if suit {
                sizes.beyond(level, to, rows, take);
            } else {
                sizes.all(take);
            }
            // SAFETY: the same planes and weights, still this call's alone to write and to read.
            unsafe { patch.finish() };
            let first = first_plane;
            if strip.down == to.down() {
                self.run.complete(first, channels * plane);
            } else {
                let start = TILE * strip.row * to.width;
                let len = (TILE * strip.down * to.width).min(plane - start);
                for channel in 0..channels {
                    self.run.complete(first + channel * plane + start, len);
                }
            }
        }
    }
}
