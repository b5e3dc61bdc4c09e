//! Attention on a GPU, block by block: in `f32`, or where factors may be bf16, on tensor cores.

use super::{Attention, AttentionSpec, Given, View};
use crate::device::{Arg, Buf, CudaKernel, CudaStep, Grid, THREADS, Text};

const TEXT: Text = Text { room: "attention", text: include_str!("kernels.cu") };
const MMA: Text = Text { room: "attention", text: include_str!("mma.cu") };

/// The rows that four warps of tensor cores take, and those that they meet.
const OF_MMA: Tiles = Tiles { own: 64, met: 32 };
/// Threads of these warps.
const MMA_THREADS: usize = 128;

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
}

/// How the kernels of a call are made.
#[derive(Clone, Copy)]
struct Plan {
    tiles: Tiles,
    on_tensor_cores: bool,
    mask: bool,
}

impl Plan {
    /// With so many tiles of own and of met rows in shared memory, and at most `most` own rows.
    fn new(step: &CudaStep, most: usize, given: &Given, tiles: [usize; 2], dim: usize) -> Self {
        // Rows of wide heads do not fit into registers; few queries leave tensor cores idle.
        let on_tensor_cores =
            step.factors().are_halves() && dim.is_multiple_of(16) && dim <= 64 && most >= 16;
        let [own, met] = tiles;
        let tiles = if on_tensor_cores { OF_MMA } else { Tiles::new(most.min(32), dim, own, met) };
        Self { tiles, on_tensor_cores, mask: given.mask.is_some() }
    }

    /// A block of rows each, of `heads` heads of `rows` rows.
    fn grid(&self, heads: usize, rows: usize) -> Grid {
        let blocks = heads * rows.div_ceil(self.tiles.own);
        Grid { blocks, threads: if self.on_tensor_cores { MMA_THREADS } else { THREADS } }
    }

    /// A kernel, and the one for tensor cores.
    fn kernel(&self, [plain, mma]: [&'static str; 2], spec: AttentionSpec) -> CudaKernel {
        let text = if self.on_tensor_cores { MMA.kernel(mma) } else { TEXT.kernel(plain) };
        with_sizes(text, spec, self.tiles, self.mask)
    }
}

fn with_sizes(kernel: CudaKernel, spec: AttentionSpec, tiles: Tiles, mask: bool) -> CudaKernel {
    let kernel = kernel.with("DIM", spec.dim);
    let kernel = kernel.with("HEADS", spec.heads).with("KV_HEADS", spec.kv_heads);
    let kernel =
        kernel.with("BQ", tiles.own).with("BK", tiles.met).with("TEAM", THREADS / tiles.own);
    kernel.with("CAUSAL", u8::from(spec.causal.is_some())).with("MASK", u8::from(mask))
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

impl Attention for CudaStep {
    fn attention(&mut self, y: View, lse: Buf, given: Given, spec: AttentionSpec) {
        let AttentionSpec { batch, heads, queries, dim, .. } = spec;
        let plan = Plan::new(self, queries.next_power_of_two().max(8), &given, [1, 2], dim);
        let mut args = view("y", y).to_vec();
        args.push(("lse", if lse.len > 0 { lse.into() } else { Arg::Null }));
        args.extend([view("q", given.q), view("k", given.k), view("v", given.v)].concat());
        args.extend(sizes(spec));
        args.extend(given.mask.into_iter().flat_map(|mask| view("mask", mask)));
        let kernel = plan.kernel(["attention", "attention_mma"], spec);
        self.launch(kernel, plan.grid(batch * heads, queries), &args);
    }

    fn append(&mut self, to: [View; 2], from: [View; 2], past: usize, spec: AttentionSpec) {
        let AttentionSpec { batch, kv_heads, keys, dim, .. } = spec;
        let count = batch * kv_heads * keys * dim;
        for (to, from) in to.into_iter().zip(from) {
            let mut args = [view("y", to), view("x", from)].concat();
            args.extend([("past", past.into()), ("rows", keys.into()), ("count", count.into())]);
            let kernel = with_sizes(TEXT.kernel("append"), spec, Tiles { own: 8, met: 1 }, false);
            self.launch(kernel, Grid::each(count), &args);
        }
    }

    fn attention_grad(
        &mut self,
        [d_q, d_k, d_v]: [View; 3],
        [d_y, y]: [View; 2],
        lse: Buf,
        given: Given,
        spec: AttentionSpec,
    ) {
        let AttentionSpec { batch, heads, kv_heads, queries, keys, dim, .. } = spec;
        let rows = batch * heads * queries;
        let [products] = self.scratch([rows]);
        let mut args = vec![("products", products)];
        args.extend([view("d_y", d_y), view("y", y)].concat());
        args.extend([("queries", queries.into()), ("count", rows.into())]);
        let kernel = TEXT.kernel("row_products");
        let kernel = with_sizes(kernel, spec, Tiles { own: 8, met: 1 }, false);
        self.launch(kernel, Grid::teams(rows, 32), &args);

        let mut shared = view("d_y", d_y).to_vec();
        shared.extend([("products", products), ("lse", lse.into())]);
        shared.extend([view("q", given.q), view("k", given.k), view("v", given.v)].concat());
        shared.extend(sizes(spec));
        shared.extend(given.mask.into_iter().flat_map(|mask| view("mask", mask)));

        let plan = Plan::new(self, queries.max(16), &given, [2, 2], dim);
        let args = [&view("d_q", d_q)[..], &shared].concat();
        let kernel = plan.kernel(["grad_queries", "grad_queries_mma"], spec);
        self.launch(kernel, plan.grid(batch * heads, queries), &args);
        let args = [&view("d_k", d_k)[..], &view("d_v", d_v), &shared].concat();
        let kernel = plan.kernel(["grad_keys", "grad_keys_mma"], spec);
        self.launch(kernel, plan.grid(batch * kv_heads, keys), &args);
    }
}
