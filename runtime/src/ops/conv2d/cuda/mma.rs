//! Convolution on tensor cores, of halves or TF32.

use super::{BLOCKS, Call, Product, kernel, parts};
use crate::device::{Arg, Buf, CudaKernel, CudaKernels, Element, Factors, Grid, Text};
use crate::ops::conv2d::{Conv2dSpec, Pass};

const TEXT: Text =
    Text { room: "conv2d", text: concat!(include_str!("../tiles.cuh"), include_str!("../mma.cu")) };

/// Multiprocessors of a large GPU.
const MULTIPROCESSORS: usize = BLOCKS / 2;

/// Rows and columns of tiles, and how many hundredths of what the largest does they multiply in the
/// same time: a guess from how often they read their factors.
const TILES: [(Tile, usize); 4] = [
    (Tile { rows: 128, cols: 128 }, 100),
    (Tile { rows: 128, cols: 64 }, 80),
    (Tile { rows: 64, cols: 128 }, 80),
    (Tile { rows: 64, cols: 64 }, 65),
];

#[derive(Clone, Copy)]
struct Tile {
    rows: usize,
    cols: usize,
}

impl Tile {
    /// The one that is done first, where a sum may be cut or not. The largest has no registers left
    /// for sides of planes that are `ragged`.
    fn new(rows: usize, cols: usize, copies: usize, may_be_cut: bool, ragged: bool) -> Self {
        let time = |&(tile, speed): &(Self, usize)| {
            let blocks = copies * rows.div_ceil(tile.rows) * cols.div_ceil(tile.cols);
            let in_turn = if may_be_cut { blocks } else { blocks.div_ceil(MULTIPROCESSORS) };
            in_turn * tile.rows * tile.cols * 100 / speed
        };
        let tiles = &TILES[usize::from(ragged)..];
        tiles.iter().min_by_key(|tile| time(tile)).expect("there are tiles").0
    }

    /// Warps take 32 columns each, and 64 rows in the largest tile, else 32.
    fn threads(self) -> usize {
        let of_warp = if self.rows + self.cols == 256 { 64 } else { 32 };
        self.rows / of_warp * self.cols
    }
}

/// Tensor cores are worth it where most of a tile is full.
pub(super) fn suits(factors: Factors, product: &Product) -> bool {
    factors != Factors::F32 && product.rows >= 32 && product.inner >= 16
}

/// The elements that a thread reads at once, of planes of `len`.
fn width(buf: Buf, len: usize) -> usize {
    let most = if buf.element == Element::Half { 8 } else { 4 };
    let fits = |width: usize| len.is_multiple_of(width) && buf.start.is_multiple_of(width);
    [most, most / 2, most / 4].into_iter().find(|&width| width > 1 && fits(width)).unwrap_or(1)
}

/// How a call goes to tensor cores.
struct Plan {
    tile: Tile,
    /// Whether factors are TF32, not halves.
    tf32: bool,
    /// Whether the inner axis has channels within taps, and the channels of a tap then, padded.
    by_taps: bool,
    channels: usize,
    /// The inner axis of packed weights, padded.
    inner: usize,
    /// Whether windows are single elements, and all of them.
    straight: bool,
}

impl Plan {
    fn new(factors: Factors, product: &Product, call: &Call) -> Self {
        let Call { pass, spec, .. } = *call;
        let tf32 = factors == Factors::Tf32;
        let step = if tf32 { 16 } else { 32 };
        let taps = spec.kernel[0] * spec.kernel[1];
        let phases = if pass == Pass::InputGrad { spec.stride[0] * spec.stride[1] } else { 1 };
        let is_weight = pass == Pass::WeightGrad;
        let met = if pass == Pass::InputGrad { spec.group_out() } else { spec.group_in() };
        let channels = met.next_multiple_of(step);
        // Padding costs less than places of taps that are all different.
        let by_taps = taps == 1 || if is_weight { met >= 32 } else { 4 * met >= 3 * channels };
        let inner = if by_taps { taps * channels } else { (taps * met).next_multiple_of(step) };
        let whole = met.is_multiple_of(128) && product.rows.is_multiple_of(128);
        let (cols, copies) = (product.cols.div_ceil(phases), phases * spec.groups);
        let tile = Tile::new(product.rows, cols, copies, is_weight, is_weight && !whole);
        let straight = taps == 1 && spec.stride == [1, 1] && spec.padding == [0, 0];
        Self { tile, tf32, by_taps, channels, inner, straight }
    }

    fn padded_rows(&self, product: &Product) -> usize {
        product.rows.next_multiple_of(self.tile.rows)
    }

    fn kernel(&self, function: &'static str, product: &Product, spec: &Conv2dSpec) -> CudaKernel {
        kernel(TEXT, function, spec)
            .with("ROWS", product.rows)
            .with("BM", self.tile.rows)
            .with("BN", self.tile.cols)
            .with("TF32", u8::from(self.tf32))
            .with("BY_TAPS", u8::from(self.by_taps))
    }
}

impl CudaKernels {
    /// A product on tensor cores.
    pub(super) fn multiply_on_tensor_cores(&mut self, product: Product, call: Call) {
        let plan = Plan::new(self.factors(), &product, &call);
        if call.pass == Pass::WeightGrad {
            self.weight_on_tensor_cores(&plan, &product, call);
        } else {
            self.planes_on_tensor_cores(&plan, &product, call);
        }
    }

    /// A forward pass or the gradient of an input: the weights are packed, then multiplied.
    fn planes_on_tensor_cores(&mut self, plan: &Plan, product: &Product, call: Call) {
        let Call { pass, y, x, w, spec } = call;
        let is_input = pass == Pass::InputGrad;
        let padded_rows = plan.padded_rows(product);
        let packed_len = spec.groups * padded_rows * plan.inner;
        let [packed] = self.scratch([if plan.tf32 { packed_len } else { packed_len.div_ceil(2) }]);
        let packing = plan
            .kernel("pack_weights", product, &spec)
            .with("OF_INPUT", u8::from(is_input))
            .with("CHANNELS", plan.channels)
            .with("INNER", plan.inner)
            .with("PADDED_ROWS", padded_rows);
        let args = [("y", packed), ("w", w.into()), ("count", packed_len.into())];
        self.launch(packing, Grid::each(packed_len), &args);

        let [stride_rows, stride_cols] = if is_input { spec.stride } else { [1, 1] };
        let [lines, line, met_plane] = if is_input {
            [spec.height.div_ceil(stride_rows), spec.width.div_ceil(stride_cols), spec.positions()]
        } else {
            [spec.out_height(), spec.out_width(), spec.height * spec.width]
        };
        let cols = spec.batch * lines * line;
        let pairs = stride_rows * stride_cols == 1 && width(y, lines * line) > 1;
        let name = if is_input { "input_mma" } else { "forward_mma" };
        let multiplying = plan
            .kernel(name, product, &spec)
            .with("CHANNELS", plan.channels)
            .with("INNER", plan.inner)
            .with("PADDED_ROWS", padded_rows)
            .with("RIGHT_VECTOR", if plan.straight { width(x, met_plane) } else { 1 })
            .with("PAIRS", u8::from(pairs));
        let args = [("y", y.into()), ("x", x.into()), ("w", packed), ("cols", cols.into())];
        let blocks = spec.groups
            * stride_rows
            * stride_cols
            * product.rows.div_ceil(plan.tile.rows)
            * cols.div_ceil(plan.tile.cols);
        self.launch(multiplying, Grid { blocks, threads: plan.tile.threads() }, &args);
    }

    /// The gradient of a weight, in parts that are summed in their order.
    fn weight_on_tensor_cores(&mut self, plan: &Plan, product: &Product, call: Call) {
        let Call { y, x, w, spec, .. } = call;
        let Product { rows, cols, inner, groups, .. } = *product;
        let blocks = groups * rows.div_ceil(plan.tile.rows) * cols.div_ceil(plan.tile.cols);
        let [chunk, splits] = parts(inner, blocks, 32);
        let reorders = plan.by_taps && spec.kernel != [1, 1];
        let in_parts = splits > 1 || reorders;
        let sums = if in_parts { self.scratch([splits * y.len])[0] } else { Arg::Buf(y) };
        let pairs = cols.is_multiple_of(2) && (in_parts || y.start.is_multiple_of(2));
        let positions = spec.positions();
        let multiplying = plan
            .kernel("weight_mma", product, &spec)
            .with("IS_STRAIGHT", u8::from(plan.straight))
            .with("LEFT_VECTOR", width(w, positions))
            .with("RIGHT_VECTOR", if plan.straight { width(x, positions) } else { 1 })
            .with("PAIRS", u8::from(pairs));
        let args = [
            ("y", sums),
            ("x", x.into()),
            ("w", w.into()),
            ("inner", inner.into()),
            ("chunk", chunk.into()),
        ];
        let grid = Grid { blocks: splits * blocks, threads: plan.tile.threads() };
        self.launch(multiplying, grid, &args);
        if in_parts {
            self.sum_parts(y, sums, splits, reorders, &spec);
        }
    }
}
