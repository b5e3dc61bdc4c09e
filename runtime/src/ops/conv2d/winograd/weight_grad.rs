//! The gradient of the weight.
//!
//! A block of strips at a time: inputs and output gradients are transformed into memory that all
//! threads share, then multiplied point by point, the sum running over tiles. Where all strips fit
//! one block, the products of some channels are transformed back at once; otherwise they are
//! summed up in memory over the blocks. Meanwhile it is looked up whether the result keeps the
//! promise of [`super`].

use super::range::{PRODUCTS, Products, Sizes};
use super::strip::{Gather, Points};
use super::weights::FilterGrads;
use super::{BLOCK, POINTS, Planes, SLOTS, TAPS, TILE};
use crate::device::SharedMut;
use crate::ops::conv2d::cpu::{Run, share};
use crate::ops::conv2d::{Conv2dSpec, max, min};
use crate::ops::matmul::{Panel, Tiling};
use crate::ops::{product, sum};

/// Floats of a block of transformed inputs and output gradients, unless one strip has more.
const TILES_LEN: usize = 5 << 19;
/// Tiles that are summed in registers at a time.
const TERMS: usize = 256;
/// Channels of a strip that are transformed at a time.
const CHANNELS: usize = 64;
/// Input channels of a block of products.
const INPUTS: usize = 64;
/// Into how many parts the points are cut where products are summed up in memory.
const CUTS: usize = 6;

/// The sizes of the pass.
#[derive(Clone, Copy)]
pub struct Plan {
    x: Planes,
    y: Planes,
    padding: [usize; 2],
}

impl Plan {
    pub const fn new(spec: &Conv2dSpec) -> Self {
        Self { x: Planes::inputs(spec), y: Planes::outputs(spec), padding: spec.padding }
    }

    /// Tiles of a block, unless one strip has more.
    const fn most_tiles(&self) -> usize {
        TILES_LEN / product([POINTS, sum([self.x.tile_len(), self.y.tile_len()])])
    }

    /// Strips of a block.
    const fn block_strips(&self) -> usize {
        let tiles = self.most_tiles();
        min(max(tiles / max(self.y.strip_tiles(), 1), 1), max(self.y.strips(), 1))
    }

    /// Tiles of a block.
    const fn block_tiles(&self) -> usize {
        product([self.block_strips(), self.y.strip_tiles()])
    }

    /// Whether all strips are one block.
    const fn once(&self) -> bool {
        self.block_strips() == max(self.y.strips(), 1)
    }

    /// Input channels of a block of products.
    const fn inputs(&self) -> usize {
        min(INPUTS, self.x.channels)
    }

    /// Blocks of products.
    const fn blocks(&self) -> usize {
        self.x.channels.div_ceil(max(self.inputs(), 1)) * self.y.channels.div_ceil(BLOCK)
    }

    /// Floats of a block of products.
    const fn products_len(&self) -> usize {
        product([POINTS, self.inputs(), BLOCK])
    }

    /// Groups of channels of inputs and output gradients.
    const fn groups(&self) -> [usize; 2] {
        [self.x.channels.div_ceil(CHANNELS), self.y.channels.div_ceil(CHANNELS)]
    }

    /// Floats of the sizes of a group, of inputs and output gradients.
    const fn sizes_len(&self) -> [usize; 2] {
        let rows = TILE * self.y.strip_down();
        [product([rows + 2, self.x.width]), product([rows, self.y.width])]
    }

    /// Floats of all sizes of a strip, and where those of the output gradients begin.
    const fn strip_sizes(&self) -> (usize, usize) {
        let ([x_groups, y_groups], [x_len, y_len]) = (self.groups(), self.sizes_len());
        let (x, y) = (product([x_groups, x_len]), product([y_groups, y_len]));
        (sum([x, y]), x)
    }

    /// Floats of the sizes of a block, and of what is made of them.
    const fn look_len(&self) -> usize {
        product([self.block_strips(), sum([self.strip_sizes().0, PRODUCTS])])
    }

    /// The floats of scratch.
    pub const fn scratch(&self) -> usize {
        let (x, y) = (self.x.point_len(self.block_tiles()), self.y.point_len(self.block_tiles()));
        let products = if self.once() { SLOTS } else { max(self.blocks(), SLOTS) };
        let shared = sum([product([POINTS, sum([x, y])]), self.look_len()]);
        let strips = product([SLOTS, self.y.strip_len()]);
        sum([shared, strips, product([products, self.products_len()])])
    }

    /// As much for all smaller planes and batches. The sizes of a tile are those of its inputs, six
    /// rows and columns at most, and of its gradients, four; a strip has one row of tiles at least.
    pub const fn most_scratch(&self) -> usize {
        let tiles = self.y.most_block_tiles(self.most_tiles());
        let points = product([POINTS, sum([self.x.point_len(tiles), self.y.point_len(tiles)])]);
        let [x, y] = self.groups();
        let sizes = sum([product([x, (TILE + 2) * (TILE + 2)]), product([y, TILE * TILE])]);
        let strips = min(tiles, product([self.y.images, self.y.down()]));
        let look = sum([product([tiles, sizes]), product([strips, PRODUCTS])]);
        let products = product([max(self.blocks(), SLOTS), self.products_len()]);
        sum([points, look, product([SLOTS, self.y.most_strip_len()]), products])
    }
}

/// `d_w` from `d_y` and `x`, and whether it keeps the promise: if not, another form has to compute
/// it.
pub fn weight_grad(
    run: Run<'_>,
    d_w: &mut [f32],
    d_y: &[f32],
    x: &[f32],
    scratch: &mut [f32],
) -> bool {
    let plan = Plan::new(&run.spec);
    assert!(x.len() == plan.x.images * plan.x.image_len());
    assert!(d_y.len() == plan.y.images * plan.y.image_len());
    let points = [plan.x, plan.y].map(|planes| planes.point_len(plan.block_tiles()));
    let (inputs, rest) = scratch.split_at_mut(POINTS * points[0]);
    let (outputs, rest) = rest.split_at_mut(POINTS * points[1]);
    let (look, rest) = rest.split_at_mut(plan.look_len());
    let (rows, products) = rest.split_at_mut(SLOTS * plan.y.strip_len());
    let mut looked = Products::default();
    let pass = Pass { run, plan, points, x, d_y, d_w: SharedMut::new(d_w) };
    let strips = plan.y.strips();
    for first in (0..strips).step_by(plan.block_strips()) {
        let strips = plan.block_strips().min(strips - first);
        let tiles = pass.gather([&mut *inputs, &mut *outputs, &mut *look], rows, (first, strips));
        pass.look(look, rows, (first, strips), &mut looked);
        if plan.once() {
            pass.products_and_weights(inputs, outputs, products, tiles);
        } else {
            pass.products(inputs, outputs, products, tiles, first > 0);
        }
    }
    if !plan.once() {
        pass.weights(products);
    }
    looked.fit()
}

struct Pass<'a> {
    run: Run<'a>,
    plan: Plan,
    /// The distances between points of inputs and output gradients.
    points: [usize; 2],
    x: &'a [f32],
    d_y: &'a [f32],
    d_w: SharedMut<'a, f32>,
}

impl Pass<'_> {
    /// Transforms both sides for a block of strips, takes their sizes, and counts its tiles.
    fn gather(
        &self,
        shared: [&mut [f32]; 3],
        rows: &mut [f32],
        (first, count): (usize, usize),
    ) -> usize {
        let plan = self.plan;
        let [x_groups, y_groups] = plan.groups();
        let groups = x_groups + y_groups;
        let origin = plan.y.strip(first).first;
        let (strip_sizes, y_sizes) = plan.strip_sizes();
        let shared = shared.map(SharedMut::new);
        let (sides, sizes) = ([&shared[0], &shared[1]], &shared[2]);
        self.run.threads.split(self.run.work(), rows, plan.y.strip_len(), |slot, rows| {
            for item in share(count * groups, slot, SLOTS) {
                let strip = plan.y.strip(first + item / groups);
                let group = item % groups;
                let (side, group) =
                    if group < x_groups { (0, group) } else { (1, group - x_groups) };
                let (shape, data) = if side == 0 { (plan.x, self.x) } else { (plan.y, self.d_y) };
                let channel = group * CHANNELS;
                let sizes_len = plan.sizes_len()[side];
                let to_sizes = item / groups * strip_sizes + side * y_sizes + group * sizes_len;
                let start = (strip.first - origin) * shape.tile_len();
                let used =
                    (POINTS - 1) * self.points[side] + strip.down * strip.across * shape.tile_len();
                let gather = Gather {
                    planes: data[strip.image * shape.image_len()..].as_ptr(),
                    shape,
                    strip,
                    channels: (channel, shape.channels.min(channel + CHANNELS)),
                    margin: if side == 0 { plan.padding } else { [0, 0] },
                    rows: rows.as_mut_ptr(),
                    sizes: sizes.at(to_sizes, sizes_len),
                    points: Points {
                        start: sides[side].at(start, used),
                        point: self.points[side],
                        tile: shape.tile_len(),
                    },
                };
                // SAFETY: the planes are those of an image, whose length was asserted, from its
                // start. `at` checked the sizes and the points of these tiles; items differ in
                // their strip, and so in their tiles, or in their group of channels. `rows` is this
                // slot's memory for a strip.
                unsafe {
                    if side == 0 {
                        gather.inputs(self.run.level);
                    } else {
                        gather.output_grads(self.run.level);
                    }
                }
            }
        });
        let last = plan.y.strip(first + count - 1);
        last.first + last.down * last.across - origin
    }

    /// Adds up what the errors of a block of strips are compared with. Strips are in their order,
    /// so the sums do not depend on the number of threads.
    fn look(
        &self,
        look: &mut [f32],
        rows: &mut [f32],
        (first, count): (usize, usize),
        looked: &mut Products,
    ) {
        let plan = self.plan;
        let (strip_sizes, y_sizes) = plan.strip_sizes();
        let (sizes, products) = look.split_at_mut(plan.block_strips() * strip_sizes);
        let sizes = &*sizes;
        let shared = SharedMut::new(&mut *products);
        let work = count * plan.y.strip_len() / 2;
        self.run.threads.split(work, rows, plan.y.strip_len(), |slot, rows| {
            for item in share(count, slot, SLOTS) {
                let strip = plan.y.strip(first + item);
                let (x, d_y) = sizes[item * strip_sizes..][..strip_sizes].split_at(y_sizes);
                let [x_len, y_len] = plan.sizes_len();
                let (groups, pitch, margin) = (x, x_len, plan.padding);
                let x = Sizes { shape: plan.x, strip, margin, overlap: 2, groups, pitch };
                let (groups, pitch, margin) = (d_y, y_len, [0, 0]);
                let d_y = Sizes { shape: plan.y, strip, margin, overlap: 0, groups, pitch };
                let products = Products::of_strip(self.run.level, [x, d_y], rows);
                // SAFETY: `at` checked the range, which is that of this strip alone; floats need no
                // more alignment than an array of them.
                unsafe { *shared.at(item * PRODUCTS, PRODUCTS).cast() = products };
            }
        });
        products.chunks_exact(PRODUCTS).take(count).for_each(|strip| looked.add(strip));
    }

    /// The first input channel and the first output channel of a block of products.
    fn place(&self, block: usize) -> (usize, usize) {
        let across = self.plan.y.channels.div_ceil(BLOCK);
        (block / across * self.plan.inputs(), block % across * BLOCK)
    }

    /// Each block of products, transformed back at once.
    fn products_and_weights(
        &self,
        inputs: &[f32],
        outputs: &[f32],
        products: &mut [f32],
        tiles: usize,
    ) {
        let (blocks, len) = (self.plan.blocks(), self.plan.products_len());
        self.run.threads.split(self.run.work(), &mut products[..SLOTS * len], len, |slot, own| {
            for block in share(blocks, slot, SLOTS) {
                let own = own.as_mut_ptr();
                // SAFETY: `own` is `len` floats, the products of a block, and this slot's alone;
                // blocks come once each.
                unsafe {
                    self.multiply((inputs, outputs), own, block, (0, POINTS), tiles, false);
                    self.transform(own, block);
                }
            }
        });
    }

    /// Adds to all products.
    fn products(
        &self,
        inputs: &[f32],
        outputs: &[f32],
        products: &mut [f32],
        tiles: usize,
        accumulate: bool,
    ) {
        let (blocks, len) = (self.plan.blocks(), self.plan.products_len());
        let products = SharedMut::new(products);
        self.run.threads.run_if(self.run.work(), blocks * CUTS, &|item| {
            let (block, cut) = (item / CUTS, item % CUTS);
            let points = (cut * POINTS / CUTS, (cut + 1) * POINTS / CUTS);
            // SAFETY: `at` checked the range of the block, of which this item alone has these
            // points.
            unsafe {
                let own = products.at(block * len, len);
                self.multiply((inputs, outputs), own, block, points, tiles, accumulate);
            }
        });
    }

    /// Transforms all products back.
    fn weights(&self, products: &mut [f32]) {
        let (blocks, len) = (self.plan.blocks(), self.plan.products_len());
        self.run.threads.split(
            self.run.work(),
            &mut products[..blocks * len],
            len,
            |block, own| {
                // SAFETY: `own` is `len` floats, the products of this block, which comes once.
                unsafe { self.transform(own.as_mut_ptr(), block) };
            },
        );
    }

    /// The products of a block for the points `first..end`.
    ///
    /// # Safety
    /// `products` has the products of a block, of which these points are lent to write.
    unsafe fn multiply(
        &self,
        (inputs, outputs): (&[f32], &[f32]),
        products: *mut f32,
        block: usize,
        (first, end): (usize, usize),
        tiles: usize,
        accumulate: bool,
    ) {
        let (plan, level) = (self.plan, self.run.level);
        let (input, output) = self.place(block);
        let rows = plan.inputs().min(plan.x.channels - input);
        let cols = BLOCK.min(plan.y.channels - output);
        let panel_rows = Tiling::of(level).panel_rows(rows);
        let [x_tile, y_tile] = [plan.x, plan.y].map(|planes| planes.tile_len());
        for point in first..end {
            for term in (0..tiles).step_by(TERMS) {
                let terms = TERMS.min(tiles - term);
                let a = &inputs[point * self.points[0] + term * x_tile + input..];
                let b = &outputs[point * self.points[1] + term * y_tile + output..];
                assert!(a.len() >= (terms - 1) * x_tile + rows);
                assert!(b.len() >= (terms - 1) * y_tile + cols);
                for row in (0..rows).step_by(panel_rows) {
                    // SAFETY: `a` and `b` were asserted to have `terms` tiles of these channels, of
                    // which rows `row..` are some; the caller lends `BLOCK` products for each point
                    // and input, and `cols` is at most `BLOCK`. `panel_rows` is at most
                    // `Tiling::rows`.
                    unsafe {
                        Panel {
                            rows: panel_rows.min(rows - row),
                            cols,
                            k: terms,
                            a: a.as_ptr().add(row),
                            a_row: 1,
                            a_k: x_tile,
                            b: b.as_ptr(),
                            b_row: y_tile,
                            b_panel: Tiling::of(level).cols,
                            c: products.add((point * plan.inputs() + row) * BLOCK),
                            c_row: BLOCK,
                            accumulate: accumulate || term > 0,
                        }
                        .run(level);
                    }
                }
            }
        }
    }

    /// Transforms a block of products into gradients.
    ///
    /// # Safety
    /// `products` has the products of a block, to read, and no other thread has this block.
    unsafe fn transform(&self, products: *const f32, block: usize) {
        let (input, output) = self.place(block);
        let inputs = self.plan.inputs().min(self.plan.x.channels - input);
        let outputs = BLOCK.min(self.plan.y.channels - output);
        let row = self.plan.x.channels * TAPS;
        let start = output * row + input * TAPS;
        // SAFETY: the caller lends the products of these channels; `at` checked the rows of the
        // gradient from `start` on, in which blocks differ in their channels. There are at most
        // `BLOCK` outputs.
        unsafe {
            FilterGrads {
                points: products,
                point: self.plan.inputs() * BLOCK,
                inputs,
                outputs,
                d_w: self.d_w.at(start, (outputs - 1) * row + inputs * TAPS),
                output: row,
            }
            .transform(self.run.level);
        }
    }
}
