//! After a first call no kernel allocates, on any thread: the small calls of every room, and here
//! some that are large enough for several threads and for algorithms of large sizes.

#[path = "sound/calls/mod.rs"]
#[allow(dead_code)] // another test looks at what is computed
mod calls;

use std::alloc::{GlobalAlloc, Layout as Block, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use gradiron::device::Storage;
use gradiron::device::{Buf, Cpu, CpuKernels, Indices, Region, RunMemory};
use gradiron::math::{Arith, simd_levels};
use gradiron::ops::attention::{self, Attention, AttentionSpec, Strides, View};
use gradiron::ops::batch_norm::{BatchNorm, BatchNormSpec};
use gradiron::ops::cat::{Cat, CatSpec};
use gradiron::ops::conv2d::{Conv2d, Conv2dSpec, Pass};
use gradiron::ops::cross_entropy::{CrossEntropy, CrossEntropySpec};
use gradiron::ops::elementwise::{Elementwise, Map, functions};
use gradiron::ops::fill::Fill;
use gradiron::ops::interpolate::{Interpolate, InterpolateMode, InterpolateSpec};
use gradiron::ops::matmul::{Layout, Matmul, MatmulSpec};
use gradiron::ops::nll_loss::{NllLoss, NllLossSpec};
use gradiron::ops::permute::Permute;
use gradiron::ops::pool2d::{Pool2d, Pool2dSpec};
use gradiron::ops::recurrent::{
    Cell, InputGrads, Inputs, OutputGrads, Outputs, Recurrent, RecurrentSpec, Saved,
};
use gradiron::ops::reduce::{Reduce, ReduceKind, ReduceSpec};
use gradiron::ops::softmax::{Softmax, SoftmaxSpec};

use crate::calls::*;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Block) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller gives a layout that is not empty.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Block) {
        // SAFETY: the caller gives memory of this allocator, which is the system's, with its
        // layout.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct AddGelu;

impl Elementwise<2, 1, 0> for AddGelu {
    const TEXT: &'static str = "gelu(add(x0, x1))";
    #[inline(always)]
    fn eval<A: Arith>([x, b]: [f32; 2], []: [f32; 0]) -> [f32; 1] {
        [functions::gelu::<A>(functions::add::<A>(x, b))]
    }
}

fn large_calls(step: &mut CpuKernels<'_>) {
    let arena = |start: usize, len: usize| Buf::new(Region::Arena, start, len);
    let [y, y2, x, x2] = [0, 1 << 20, 2 << 20, 3 << 20].map(|start| arena(start, 1 << 20));
    let scratch = arena(4 << 20, 1 << 22);
    for layout in [Layout::NN, Layout::NT, Layout::TN] {
        for (m, k, n) in [(64, 784, 128), (3, 5, 7), (500, 1500, 300)] {
            let spec = MatmulSpec { layout, m, k, n };
            step.matmul(y.part(0, m * n), x.part(0, m * k), x2.part(0, k * n), spec);
        }
    }
    let conv = Conv2dSpec::new(64, [6, 16], [14, 14], [5, 5]);
    let wide = Conv2dSpec::new(3, [32, 32], [14, 14], [3, 3]);
    for spec in [conv, wide, Conv2dSpec { stride: [2, 2], ..wide }] {
        let [input, output, weight] = [spec.input_len(), spec.output_len(), spec.weight_len()];
        let (d_y, w) = (x2.part(0, output), x2.part(output, weight));
        let x = x.part(0, input);
        let passes = [
            (Pass::Forward, output, [x, w]),
            (Pass::InputGrad, input, [d_y, w]),
            (Pass::WeightGrad, weight, [d_y, x]),
        ];
        for (pass, len, of) in passes {
            step.conv2d(pass, y.part(0, len), of, scratch.part(0, spec.scratch(pass)), spec);
        }
    }
    let pool = Pool2dSpec {
        planes: 384,
        height: 28,
        width: 28,
        kernel: [2, 2],
        stride: [2, 2],
        padding: [0, 0],
        dilation: [1, 1],
    };
    let (input, output) = (x.part(0, pool.input_len()), y.part(0, pool.output_len()));
    let (d_x, index) = (x2.part(0, pool.input_len()), y2.part(0, pool.output_len()));
    step.max_pool2d(output, Some(index), input, pool);
    step.max_pool2d(output, None, input, pool);
    step.max_pool2d(output, Some(index), input, pool);
    step.max_pool2d_grad(d_x, output, index, pool);
    step.avg_pool2d(output, input, pool);
    step.avg_pool2d_grad(d_x, output, pool);
    for kind in [ReduceKind::Sum, ReduceKind::Max, ReduceKind::Min] {
        for mask in 0..8 {
            let kept = std::array::from_fn(|i| mask >> i & 1 == 1);
            let spec = ReduceSpec { dims: [64, 100, 50], kept, kind, scale: 0.5 };
            step.reduce(y.part(0, spec.output_len()), x.part(0, 320_000), spec);
        }
    }
    let label = Indices::new(0, 6400);
    for (outer, inner) in [(6400, 1), (64, 100)] {
        let spec = SoftmaxSpec { outer, size: 10, inner };
        let (y, x, x2) = (y.part(0, 64_000), x.part(0, 64_000), x2.part(0, 64_000));
        step.softmax(y, x, spec);
        step.log_softmax(y, x, spec);
        step.softmax_grad(y, x, x2, spec);
        step.log_softmax_grad(y, x, x2, spec);
        let spec = CrossEntropySpec { outer, classes: 10, inner, smoothing: 0.1 };
        let loss = y2.part(0, 1);
        step.cross_entropy(loss, x, label, spec);
        step.cross_entropy_with_grad(loss, y, x, label, spec);
        step.cross_entropy_grad(y, loss, y);
        let spec = NllLossSpec { outer, classes: 10, inner };
        step.nll_loss(loss, x, label, spec);
        step.nll_loss_grad(y, loss, label, spec);
    }
    let (heads, rows, dim) = (4, 70, 32);
    let spec = AttentionSpec {
        batch: 2,
        heads,
        kv_heads: heads,
        queries: rows,
        keys: rows,
        dim,
        scale: 0.1,
        causal: None,
    };
    let strides = Strides::by_row(rows, heads, dim);
    let len = spec.batch * rows * heads * dim;
    let view = |buf: Buf, n: usize| View { buf: buf.part(n * len, len), strides };
    let of_mask = Strides { start: 0, batch: 0, head: rows * rows, row: rows };
    let mask_len = heads * rows * rows;
    let mask = View { buf: x.part(3 * len, mask_len), strides: of_mask };
    let given = attention::Inputs { q: view(x, 0), k: view(x, 1), v: view(x, 2), mask: Some(mask) };
    let (result, lse) = (view(y, 0), y2.part(0, spec.batch * heads * rows));
    step.attention(result, lse, given, spec);
    let made = [view(x2, 0), result];
    step.attention_grad([view(y, 1), view(y, 2), view(y, 3)], made, lse, given, spec);
    step.attention_mask_grad(y.part(4 * len, mask_len), made, lse, given, spec);
    step.permute(y.part(0, 320_000), x.part(0, 320_000), [64, 100, 50], [2, 0, 1]);
    for mask in 0..8 {
        let has = std::array::from_fn(|i| mask >> i & 1 == 1);
        for dims in [[64, 6, 784], [640, 10, 1], [2, 3, 5]] {
            let y = y.part(0, dims.iter().product());
            step.map::<AddGelu, 2, 1, 0, 3>([y], [(x, [true; 3]), (x2, has)], dims, []);
        }
    }
    let spec = CatSpec { outer: 64, start: 1000, len: 5000, total: 8000 };
    step.cat(y.part(0, 64 * 8000), x.part(0, 64 * 5000), spec);
    step.cat_grad(x.part(0, 64 * 5000), y.part(0, 64 * 8000), spec);
    for mode in
        [InterpolateMode::Nearest, InterpolateMode::Bilinear, InterpolateMode::BilinearCorners]
    {
        let spec = InterpolateSpec { planes: 64, height: 32, width: 32, scale: [2, 2], mode };
        let (x, y) = (x.part(0, spec.input_len()), y.part(0, spec.output_len()));
        step.interpolate(y, x, spec);
        step.interpolate_grad(x, y, spec);
    }
    for (channels, inner) in [(6, 784), (64, 16)] {
        let spec = BatchNormSpec { batch: 64, channels, inner, eps: 1e-5 };
        let [x, d_y] = [x, x2].map(|buf| buf.part(0, spec.elements()));
        let each = |n: usize| y.part(n * channels, channels);
        let mean = [each(0), each(4)];
        step.batch_norm_statistics(mean, each(1), x, None, spec);
        step.batch_norm_sums(each(2), each(3), d_y, x, mean, each(1), spec);
    }
    for cell in [Cell::Tanh, Cell::Lstm, Cell::Gru] {
        let spec = RecurrentSpec { cell, batch: 32, steps: 8, hidden: 64, reverse: false };
        let (of_x, of_y) = (32 * 8 * spec.width(), 32 * 8 * 64);
        let part = |n: usize| y2.part(n * of_y, of_y);
        let (gates, of_cells) = (y.part(0, of_x), cell == Cell::Lstm);
        let cells = |buf: Buf| of_cells.then_some(buf);
        let (x, w) = (x.part(0, of_x), x2.part(0, spec.width() * 64));
        let given = Inputs { x, w, b: None, h: None, c: None, lengths: None };
        let inner = (cell != Cell::Tanh).then_some(part(3));
        let history = Saved { gates, before: part(2), inner };
        let made = Outputs { y: part(0), h: part(1), c: cells(part(4)) };
        let scratch = scratch.part(0, spec.scratch());
        step.recurrent(made, Some(history), given, scratch, spec);
        let upstream = OutputGrads { y: Some(part(0)), h: None, c: None };
        let products = (cell == Cell::Gru).then_some(y.part(of_x, of_x));
        let gradients = InputGrads { x: gates, products, h: Some(part(1)), c: cells(part(4)) };
        step.recurrent_grad(gradients, upstream, history, given, scratch, spec);
    }
    step.copy(y, x);
    step.fill(y, 1.0);
}

/// Calls of a room, with their name and the floats of their arena.
type Small = (&'static str, usize, fn(&mut CpuKernels<'_>, &mut Memory));

macro_rules! small_calls {
    ($($name:ident::$Calls:ident,)*) => {
        /// The small calls of each room.
        const SMALL: &[Small] = &[$((
            stringify!($name),
            calls::$Calls::FLOATS,
            |step, memory| calls::$Calls::call(step, memory),
        ),)*];
    };
}

of_rooms!(small_calls);

/// Runs calls on every instruction set, with one thread and with two, and counts what is allocated
/// behind the first time. `clean` is for what the calls keep.
fn check<T>(
    name: &str,
    arena: &mut Storage,
    mut kept: T,
    mut clean: impl FnMut(&mut T),
    mut calls: impl FnMut(&mut CpuKernels<'_>, &mut T),
) {
    let (params, mut grads) = (Storage::zeros(0), Storage::zeros(0));
    let mut indices = vec![3_u32; 6400];
    indices[..INDICES.len()].copy_from_slice(&INDICES);
    for threads in [1, 2] {
        let cpu = Cpu::with_threads(threads);
        for level in simd_levels() {
            let cpu = cpu.clone().with_simd(level);
            let mut run = |times: usize| {
                for _ in 0..times {
                    clean(&mut kept);
                    let memory = RunMemory {
                        params: &params,
                        grads: &mut grads,
                        arena: &mut *arena,
                        cache: None,
                        prepared: None,
                        random: Default::default(),
                        inputs: &[input()],
                        indices: &indices,
                    };
                    calls(&mut cpu.step(memory), &mut kept);
                }
            };
            run(1);
            let before = ALLOCATIONS.load(Ordering::Relaxed);
            run(5);
            let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
            assert_eq!(allocations, 0, "{name}, {threads} threads, {level:?}");
        }
    }
}

/// No `#[test]`: the harness allocates beside a test, when it takes a minute or its output is
/// shown.
fn main() {
    let mut arena = Storage::zeros(1 << 23);
    arena.as_mut_slice().iter_mut().enumerate().for_each(|(i, x)| *x = (i % 7) as f32 - 3.0);
    check("large calls", &mut arena, (), |()| {}, |step, ()| large_calls(step));
    for (name, floats, calls) in SMALL {
        let mut arena = Storage::zeros(*floats);
        check(name, &mut arena, Memory::new(*floats), Memory::clear, |step, memory| {
            calls(step, memory);
        });
    }
}
