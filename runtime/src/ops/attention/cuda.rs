//! Attention on a GPU, block by block: in `f32`, or where factors may be halves, on tensor cores.
//! TF32 is for products alone: with it attention stays `f32`.

use super::{Attention, AttentionSpec, Inputs, View};
use crate::device::{Arg, Buf, CudaKernel, CudaKernels, Element, Grid, THREADS, Text, of_vector};

const TEXT: Text = Text { room: "attention", text: include_str!("kernels.cu") };
const MMA: Text = Text {
    room: "attention",
    text: concat!(include_str!("tiles.cuh"), include_str!("mma.cu"), include_str!("mma_grad.cu")),
};

/// Threads of the four warps that share a block on tensor cores.
const MMA_THREADS: usize = 128;
/// Heads that are wider leave fewer registers and less shared memory for what a block meets.
const NARROW: usize = 64;
const WIDEST: usize = 128;

/// Floats of shared memory that tiles may take.
const SHARED: usize = 11 << 10;

/// The rows of tiles: those that a block takes, and those that it meets.
#[derive(Clone, Copy)]
struct Tiles {
    own: usize,
    met: usize,
}

impl Tiles {
    /// The largest, at most `most` own ones, of which so many tiles of each are in memory at once.
    fn new(most: usize, dim: usize, of_own: usize, of_met: usize) -> Self {
        let floats = |own: usize, met: usize| {
            (of_own * own + of_met * met) * (dim + 1) + 2 * own * (met + 1)
        };
        let largest = |most: usize, fits: &dyn Fn(usize) -> bool| {
            [32, 16, 8, 4].into_iter().find(|rows| *rows <= most && fits(*rows)).unwrap_or(1)
        };
        // A row is shared by a warp at most.
        let own = largest(most, &|rows| rows >= 8 && floats(rows, rows) <= SHARED).max(8);
        let met = largest(32, &|rows| floats(own, rows) <= SHARED);
        Self { own, met }
    }

    /// A block of rows each, of `heads` heads of `rows` rows.
    fn grid(self, heads: usize, rows: usize) -> Grid {
        Grid::rows(heads * rows.div_ceil(self.own))
    }
}

/// The rows that four warps of tensor cores take, and those that they meet.
#[derive(Clone, Copy)]
struct MmaTiles {
    /// Fragments of 16 rows that a warp takes.
    tall: usize,
    met: usize,
    /// Whether all rows consist of vectors of 16 bytes.
    is_aligned: bool,
    /// Blocks that a processor has registers for. Only copies of halves, which pass none, leave enough of
    /// them for three.
    resident: usize,
}

impl MmaTiles {
    /// Nothing where tensor cores are no gain, or do not compute the call.
    fn new(step: &CudaKernels, views: &[View], mask: bool, spec: &AttentionSpec) -> Option<Self> {
        let fits = spec.dim.is_multiple_of(16) && spec.dim <= WIDEST;
        // The largest score is that of the largest product.
        if !step.factors().are_halves() || !fits || spec.scale <= 0.0 {
            return None;
        }
        let is_aligned = are_aligned(views, spec.dim);
        let copies = is_aligned && views.iter().all(|view| view.buf.element == Element::Half);
        let resident = if copies && !mask { 3 } else { 2 };
        let met = if spec.dim <= NARROW { 32 } else { 16 };
        Some(Self { tall: 1, met, is_aligned, resident })
    }

    /// With what the forward pass has registers and memory for.
    fn forward(self, spec: &AttentionSpec) -> Self {
        match (spec.dim <= NARROW, self.resident) {
            // Each tile that is read from memory is multiplied by twice as many rows.
            (true, 3) if spec.queries > MMA_THREADS / 2 => Self { tall: 2, ..self },
            (true, _) => Self { met: 64, ..self },
            (false, _) => Self { met: 32, ..self },
        }
    }

    fn kernel(self, function: &'static str, mask: bool, spec: &AttentionSpec) -> CudaKernel {
        let kernel = with_sizes(MMA.kernel(function), self.met, mask, spec);
        let kernel = kernel.with("TALL", self.tall).with("RESIDENT", self.resident);
        kernel.with("ALIGNED", u8::from(self.is_aligned))
    }

    /// A block of rows each, of `heads` heads of `rows` rows.
    fn grid(self, heads: usize, rows: usize) -> Grid {
        let own = self.tall * MMA_THREADS / 2;
        Grid { blocks: heads * rows.div_ceil(own), threads: MMA_THREADS }
    }
}

fn with_sizes(kernel: CudaKernel, met: usize, mask: bool, spec: &AttentionSpec) -> CudaKernel {
    let kernel = kernel.with("DIM", spec.dim);
    let kernel = kernel.with("HEADS", spec.heads).with("KV_HEADS", spec.kv_heads).with("BK", met);
    kernel.with("CAUSAL", u8::from(spec.causal.is_some())).with("MASK", u8::from(mask))
}

/// Whether all rows consist of eight neighbours after another, each at a multiple of 16 bytes.
fn are_aligned(views: &[View], dim: usize) -> bool {
    dim.is_multiple_of(8)
        && views.iter().all(|View { buf, strides }| {
            let places = [buf.start + strides.start, strides.batch, strides.head, strides.row];
            places.iter().all(|place| place.is_multiple_of(of_vector(*buf)))
        })
}

/// A kernel whose blocks take and meet these rows.
fn plain(function: &'static str, tiles: Tiles, mask: bool, spec: &AttentionSpec) -> CudaKernel {
    let kernel = with_sizes(TEXT.kernel(function), tiles.met, mask, spec);
    kernel.with("BQ", tiles.own).with("TEAM", THREADS / tiles.own)
}

/// A view as arguments: its first row, and the distances of samples, heads and rows.
fn view(name: &'static str, View { buf, strides }: View) -> [(&'static str, Arg); 4] {
    let first = Buf { start: buf.start + strides.start, len: buf.len - strides.start, ..buf };
    [
        (name, first.into()),
        ("batch", strides.batch.into()),
        ("head", strides.head.into()),
        ("row", strides.row.into()),
    ]
}

/// What all kernels are given last.
fn sizes(spec: AttentionSpec) -> [(&'static str, Arg); 4] {
    [
        ("scale", spec.scale.into()),
        ("queries", spec.queries.into()),
        ("keys", spec.keys.into()),
        ("causal", spec.causal.unwrap_or(0).into()),
    ]
}

impl Attention for CudaKernels {
    fn attention(&mut self, y: View, lse: Buf, inputs: Inputs, spec: AttentionSpec) {
        let AttentionSpec { batch, heads, queries, dim, .. } = spec;
        let mask = inputs.mask.is_some();
        let mut args = view("y", y).to_vec();
        args.push(("lse", if lse.len > 0 { lse.into() } else { Arg::Null }));
        args.extend([view("q", inputs.q), view("k", inputs.k), view("v", inputs.v)].concat());
        args.extend(sizes(spec));
        args.extend(inputs.mask.into_iter().flat_map(|mask| view("mask", mask)));
        let most = queries.next_power_of_two().clamp(8, 32);
        // Few queries leave tensor cores idle.
        let mma = MmaTiles::new(self, &[y, inputs.q, inputs.k, inputs.v], mask, &spec);
        let (kernel, grid) = match mma.filter(|_| most >= 16).map(|tiles| tiles.forward(&spec)) {
            Some(tiles) => {
                (tiles.kernel("attention_mma", mask, &spec), tiles.grid(batch * heads, queries))
            }
            None => {
                let tiles = Tiles::new(most, dim, 1, 2);
                (plain("attention", tiles, mask, &spec), tiles.grid(batch * heads, queries))
            }
        };
        self.launch(kernel, grid, &args);
    }

    fn append(&mut self, to: [View; 2], from: [View; 2], past: usize, spec: AttentionSpec) {
        let AttentionSpec { batch, kv_heads, keys, dim, .. } = spec;
        let count = batch * kv_heads * keys * dim;
        for (to, from) in to.into_iter().zip(from) {
            let mut args = [view("y", to), view("x", from)].concat();
            args.extend([("past", past.into()), ("rows", keys.into()), ("count", count.into())]);
            let kernel = plain("append", Tiles { own: 8, met: 1 }, false, &spec);
            self.launch(kernel, Grid::each(count), &args);
        }
    }

    fn attention_grad(
        &mut self,
        [d_q, d_k, d_v]: [View; 3],
        [d_y, y]: [View; 2],
        lse: Buf,
        inputs: Inputs,
        spec: AttentionSpec,
    ) {
        let AttentionSpec { batch, heads, kv_heads, queries, keys, dim, .. } = spec;
        let (products, mask) = (self.row_products([d_y, y], &spec), inputs.mask.is_some());
        let mut shared = view("d_y", d_y).to_vec();
        shared.extend([("products", products), ("lse", lse.into())]);
        shared.extend([view("q", inputs.q), view("k", inputs.k), view("v", inputs.v)].concat());
        shared.extend(sizes(spec));
        shared.extend(inputs.mask.into_iter().flat_map(|mask| view("mask", mask)));
        let of_q = [&view("d_q", d_q)[..], &shared].concat();
        let of_kv = [&view("d_k", d_k)[..], &view("d_v", d_v), &shared].concat();

        let views = [d_q, d_k, d_v, d_y, inputs.q, inputs.k, inputs.v];
        let Some(tiles) = MmaTiles::new(self, &views, mask, &spec) else {
            let tiles = Tiles::new(queries.clamp(16, 32), dim, 2, 2);
            let kernel = plain("grad_queries", tiles, mask, &spec);
            self.launch(kernel, tiles.grid(batch * heads, queries), &of_q);
            let kernel = plain("grad_keys", tiles, mask, &spec);
            return self.launch(kernel, tiles.grid(batch * kv_heads, keys), &of_kv);
        };
        let kernel = tiles.kernel("grad_queries_mma", mask, &spec);
        self.launch(kernel, tiles.grid(batch * heads, queries), &of_q);
        // The gradients of wide heads do not fit into registers together; that of values alone leaves
        // room for more queries.
        let narrow = [(tiles.met, [1, 1])];
        let wide = [(tiles.met, [1, 0]), (2 * tiles.met, [0, 1])];
        let launches = if dim <= NARROW { &narrow[..] } else { &wide };
        for &(met, [keys_too, values_too]) in launches {
            let kernel = MmaTiles { met, ..tiles }.kernel("grad_keys_mma", mask, &spec);
            let kernel = kernel.with("OF_KEYS", keys_too).with("OF_VALUES", values_too);
            self.launch(kernel, tiles.grid(batch * kv_heads, keys), &of_kv);
        }
    }

    /// In `f32` on all devices: next to the products, the sums are what takes time.
    fn attention_mask_grad(
        &mut self,
        d_mask: Buf,
        [d_y, y]: [View; 2],
        lse: Buf,
        inputs: Inputs,
        spec: AttentionSpec,
    ) {
        let AttentionSpec { batch, heads, queries, keys, dim, .. } = spec;
        let Some(mask) = inputs.mask else { return };
        let products = self.row_products([d_y, y], &spec);
        let distinct = mask.strides.distinct([batch, heads, queries]);
        let [batches, of_heads, rows] = distinct;
        let mut args = view("d_mask", View { buf: d_mask, ..mask }).to_vec();
        args.push(("batches", (batch / batches).into()));
        args.extend(view("d_y", d_y));
        args.extend([("products", products), ("lse", lse.into())]);
        args.extend([view("q", inputs.q), view("k", inputs.k), view("v", inputs.v)].concat());
        args.extend(sizes(spec));
        args.extend(view("mask", mask));
        let tiles = Tiles::new(queries.clamp(16, 32), dim, 2, 2);
        let is_sum = |stride: usize| u8::from(stride == 0);
        let kernel = plain("grad_mask", tiles, true, &spec);
        let kernel = kernel.with("SUM_HEADS", is_sum(mask.strides.head));
        let kernel = kernel.with("SUM_ROWS", is_sum(mask.strides.row));
        let blocks = batches * of_heads * keys.div_ceil(tiles.met);
        self.launch(kernel, tiles.grid(blocks, rows), &args);
    }
}

impl CudaKernels {
    /// `Σ d_y · y` of each query.
    fn row_products(&mut self, [d_y, y]: [View; 2], spec: &AttentionSpec) -> Arg {
        let AttentionSpec { batch, heads, queries, dim, .. } = *spec;
        let rows = batch * heads * queries;
        let [products] = self.scratch([rows]);
        let width = if are_aligned(&[d_y, y], dim) { 8 } else { 1 };
        let lanes = dim.div_ceil(width).next_power_of_two().min(32);
        let mut args = vec![("products", products)];
        args.extend([view("d_y", d_y), view("y", y)].concat());
        args.extend([("queries", queries.into()), ("count", rows.into())]);
        let tiles = Tiles { own: THREADS / lanes, met: 1 };
        let kernel = plain("row_products", tiles, false, spec).with("WIDTH", width);
        self.launch(kernel, Grid::teams(rows, lanes), &args);
        products
    }
}
