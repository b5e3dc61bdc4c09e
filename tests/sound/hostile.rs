//! Sizes that are none, given to every kernel: a panic that says what is wrong, before anything
//! beside the ranges of the call is read or written. Nothing here is what `model!` makes; these
//! kernels are public.

use std::marker::PhantomData;

use gradiron::device::{Buf, Cpu, Indices, Kernels, Region};
use gradiron::math::{Arith, simd_levels};
use gradiron::ops::attention::{AttentionSpec, Inputs, Strides, View};
use gradiron::ops::batch_norm::BatchNormSpec;
use gradiron::ops::cat::CatSpec;
use gradiron::ops::conv2d::{Conv2dSpec, Pass};
use gradiron::ops::cross_entropy::CrossEntropySpec;
use gradiron::ops::cumsum::CumsumSpec;
use gradiron::ops::elementwise::{Elementwise, Operands};
use gradiron::ops::embedding::EmbeddingSpec;
use gradiron::ops::gather::GatherSpec;
use gradiron::ops::interpolate::{InterpolateMode, InterpolateSpec};
use gradiron::ops::layer_norm::{Affine, LayerNormSpec};
use gradiron::ops::matmul::{Layout, MatmulSpec};
use gradiron::ops::nll_loss::NllLossSpec;
use gradiron::ops::pool2d::Pool2dSpec;
use gradiron::ops::recurrent::{
    self, Cell, InputGrads, OutputGrads, Outputs, RecurrentSpec, Saved,
};
use gradiron::ops::reduce::{ReduceKind, ReduceSpec};
use gradiron::ops::rotary::RotarySpec;
use gradiron::ops::softmax::SoftmaxSpec;

use crate::calls::{Memory, check_gaps, indices, input};
use crate::run::{Call, is_same_when_small, run};

const MAX: usize = usize::MAX;
/// Two of them multiplied are 0 in a `usize`.
const HALF: usize = 1 << (usize::BITS / 2);

/// The floats of each arena.
const FLOATS: usize = 1 << 12;

/// Calls that must panic, by their number.
trait Cases {
    const COUNT: usize;
    /// Whether kernels of small passes refuse them too, which make one step after another.
    const ON_SMALL: bool = true;
    fn call<K: Kernels>(k: &mut K, m: &mut Memory, case: usize);
}

struct Case<'a, C>(&'a mut Memory, usize, PhantomData<C>);

impl<C: Cases> Call for Case<'_, C> {
    fn on<K: Kernels>(self, k: &mut K) {
        C::call(k, self.0, self.1);
    }
}

/// Runs each case on all kernels.
fn refused<C: Cases>() {
    let input = input();
    for level in simd_levels() {
        for (threads, is_small) in [(1, false), (2, false), (1, true)] {
            if is_small && (!C::ON_SMALL || cfg!(miri) && is_same_when_small(level)) {
                continue;
            }
            let cpu = Cpu::with_threads(threads).with_simd(level);
            for case in 0..C::COUNT {
                let mut m = Memory::new(FLOATS);
                let call = Case::<C>(&mut m, case, PhantomData);
                let (arena, result) = run(&cpu, is_small, FLOATS, input, call);
                let name = format!("case {case}, {level:?}, {threads} threads, small: {is_small}");
                let message = result.err().unwrap_or_else(|| panic!("{name}: it was accepted"));
                let explains = ["gradiron:", "row ", "place ", "label "];
                let explains = explains.iter().any(|start| message.starts_with(start));
                assert!(explains, "{name}: {message}");
                check_gaps(&name, arena.as_slice(), m.ranges());
            }
        }
    }
}

/// `refused!(test, number of cases, |k, m, case| { a call })`
macro_rules! refused {
    ($test:ident, $count:expr, |$k:ident, $m:ident, $case:ident| $body:block) => {
        #[test]
        fn $test() {
            struct All;
            impl Cases for All {
                const COUNT: usize = $count;
                fn call<K: Kernels>($k: &mut K, $m: &mut Memory, $case: usize) $body
            }
            refused::<All>();
        }
    };
}

// Ranges that are none of the region, or not to be written.
refused!(ranges, 6, |k, m, case| {
    let (x, y) = (m.x(8), m.result(8));
    let at = |start, len| Buf::new(Region::Arena, start, len);
    match case {
        0 => k.copy(at(FLOATS, 1), x.part(0, 1)),
        1 => k.copy(at(MAX, 2), x.part(0, 2)),
        2 => k.copy(y, at(MAX - 3, 8)),
        3 => k.fill(at(1, MAX), 0.0),
        4 => k.fill(x, 0.0),
        _ => k.copy(y, x.part(1, MAX)),
    }
});

struct Sum;

impl Elementwise<2, 1, 0> for Sum {
    const TEXT: &'static str = "t0 = add(x0, x1); t0";
    fn eval<A: Arith>([x, y]: [f32; 2], []: [f32; 0]) -> [f32; 1] {
        [x + y]
    }
}

refused!(chains, 5, |k, m, case| {
    let (x, y) = (m.x(12), m.result(12));
    let dims = [[3, 5], [HALF, HALF], [MAX, 2], [MAX, MAX], [3, 4]][case];
    // The last repeats a row of more than there is.
    let second = if case == 4 { (m.x(3), [false, true]) } else { (x, [true; 2]) };
    k.map::<Sum, 2, 1, 0, 2>([y], [(x, [true; 2]), second], dims, []);
});

refused!(products, 9, |k, m, case| {
    let (y, a, b) = (m.result(6), m.x(12), m.x(8));
    let layout = [Layout::NN, Layout::NT, Layout::TN][case % 3];
    // Once right: y [3, 2] of a [3, 4] and b [4, 2].
    let [rows, terms, cols] = match case / 3 {
        0 => [3, 5, 2],
        1 => [HALF, HALF, HALF],
        _ => [MAX, 4, 2],
    };
    k.matmul(y, a, b, MatmulSpec { layout, m: rows, k: terms, n: cols });
});

// A chain whose memory the product uses.
struct ProductsAndChains;

impl Cases for ProductsAndChains {
    const COUNT: usize = 3;
    const ON_SMALL: bool = false;
    fn call<K: Kernels>(k: &mut K, m: &mut Memory, case: usize) {
        let (y, a, b) = (m.result(6), m.result(12), m.x(8));
        let spec = MatmulSpec { layout: Layout::NN, m: 3, k: 4, n: 2 };
        let (output, second, dims) = match case {
            0 => (a.part(0, 6), b.part(0, 6), [3, 2]),
            1 => (y, y.part(0, 2), [3, 2]),
            _ => (y, b.part(0, 6), [HALF, HALF]),
        };
        let has = if case == 1 { [false, true] } else { [true; 2] };
        let inputs = [(y, [true; 2]), (second, has)];
        let then = Operands { outputs: [output], inputs, dims, constants: [] };
        k.matmul_map::<Sum, 2, 1, 0, 2>(y, a, b, spec, then);
    }
}

#[test]
fn products_and_chains() {
    refused::<ProductsAndChains>();
}

const ATTENTION: AttentionSpec = AttentionSpec {
    batch: 2,
    heads: 2,
    kv_heads: 1,
    queries: 3,
    keys: 3,
    dim: 4,
    scale: 0.5,
    causal: None,
};

// Strides that wrap, that leave the range, that overlap; heads that do not share those of the keys.
refused!(attention, 9, |k, m, case| {
    let mut spec = ATTENTION;
    let (y, x, lse) = (m.result(48), m.x(48), m.result(12));
    let (mut strides, of_keys) = (Strides::by_row(3, 2, 4), Strides::by_row(3, 1, 4));
    let mut of_y = strides;
    match case {
        0 => strides.batch = MAX,
        1 => strides.row = MAX - 7,
        2 => strides.start = MAX,
        3 => strides.head = 1 << (usize::BITS - 1),
        // Rows of results that share floats, which threads would write at once.
        4 => of_y.head = 0,
        5 => of_y.row = 6,
        6 => of_y.batch = 5,
        7 => (spec.heads, spec.kv_heads) = (2, 4),
        _ => spec.keys = HALF,
    }
    let view = |buf, strides| View { buf, strides };
    let key = view(x.part(0, 24), of_keys);
    let given = Inputs { q: view(x, strides), k: key, v: key, mask: None };
    k.attention(view(y, of_y), lse, given, spec);
});

refused!(attention_backward, 6, |k, m, case| {
    let spec = ATTENTION;
    let (x, lse) = (m.x(48), m.x(12));
    let (strides, of_keys) = (Strides::by_row(3, 2, 4), Strides::by_row(3, 1, 4));
    let view = |buf, strides| View { buf, strides };
    let key = view(x.part(0, 24), of_keys);
    let mut given = Inputs { q: view(x, strides), k: key, v: key, mask: None };
    let [mut d_q, mut d_k] = [view(m.result(48), strides), view(m.result(24), of_keys)];
    let mut d_v = view(m.result(24), of_keys);
    let mut lse_of = lse;
    match case {
        // Gradients that share memory.
        0 => d_v = d_k,
        1 => d_k = view(d_q.buf, Strides { start: 4, ..of_keys }),
        2 => d_q.strides.row = 0,
        3 => lse_of = lse.part(0, 11),
        4 => d_v.buf = d_v.buf.part(0, 23),
        _ => {
            // A mask of which a gradient's rows share floats.
            let strides = Strides { start: 0, batch: 1, head: 0, row: 3 };
            given.mask = Some(view(x, strides));
            let d_mask = m.result(20);
            let y = view(x, Strides::by_row(3, 2, 4));
            return k.attention_mask_grad(d_mask, [y, y], lse, given, spec);
        }
    }
    let y = view(x, strides);
    k.attention_grad([d_q, d_k, d_v], [y, y], lse_of, given, spec);
});

refused!(positions_of_a_cache, 4, |k, m, case| {
    let (cache, x) = (m.result(2 * 3 * 4), m.x(24));
    let view = |buf, strides| View { buf, strides };
    let mut to = view(cache, Strides::by_head(3, 1, 4));
    let past = match case {
        0 => 1,
        1 => MAX,
        2 => MAX - 2,
        _ => {
            to.strides.batch = MAX / 2;
            0
        }
    };
    let from = view(x, Strides::by_row(3, 1, 4));
    let spec = AttentionSpec { heads: 1, ..ATTENTION };
    k.append([to, to], [from, from], past, spec);
});

// Lengths beyond the steps, too few of them, ranges that are too short, sizes that wrap.
refused!(recurrent_layers, 10, |k, m, case| {
    let cell = if case.is_multiple_of(2) { Cell::Lstm } else { Cell::Gru };
    let s = RecurrentSpec { cell, batch: 3, steps: 2, hidden: 2, reverse: case == 1 };
    let of_x = 3 * 2 * s.width();
    let (x, w) = (m.x(of_x), m.x(s.width() * 2));
    let mut given = recurrent::Inputs { x, w, b: None, h: None, c: None, lengths: None };
    let is_lstm = cell == Cell::Lstm;
    let mut made = Outputs { y: m.result(12), h: m.result(6), c: is_lstm.then(|| m.result(6)) };
    let inner = Some(m.result(12));
    let mut history = Saved { gates: m.result(of_x), before: m.result(12), inner };
    let mut gradients = InputGrads {
        x: m.result(of_x),
        products: (!is_lstm).then(|| m.result(of_x)),
        h: None,
        c: None,
    };
    let scratch = m.scratch(s.scratch());
    let (mut spec, mut to, mut is_forward) = (s, scratch, case >= 5);
    match case {
        // `INDICES` begins with 2, 0, 1: lengths of one step.
        0 | 1 => {
            (spec.steps, is_forward) = (1, false);
            given.lengths = Some(Indices::new(0, 3));
        }
        2 => given.lengths = Some(Indices::new(0, 2)),
        3 => gradients.products = None,
        4 => history.inner = None,
        5 => (spec.steps, given.lengths) = (1, Some(Indices::new(0, 3))),
        6 => to = scratch.part(0, scratch.len - 1),
        7 => spec.hidden = HALF,
        8 => made.h = made.y.part(0, 6),
        _ => (spec.batch, spec.steps) = (HALF, HALF),
    }
    if is_forward {
        return k.recurrent(made, Some(history), given, to, spec);
    }
    let upstream = OutputGrads { y: Some(x.part(0, 12)), h: None, c: None };
    k.recurrent_grad(gradients, upstream, history, given, to, spec);
});

const CONV: Conv2dSpec = Conv2dSpec {
    batch: 2,
    in_channels: 2,
    out_channels: 4,
    height: 4,
    width: 5,
    kernel: [3, 3],
    stride: [1, 1],
    padding: [1, 1],
    dilation: [1, 1],
    groups: 1,
    any_size: false,
};

refused!(convolutions, 42, |k, m, case| {
    let pass = [Pass::Forward, Pass::InputGrad, Pass::WeightGrad][case % 3];
    let [x, w, y] = [80, 72, 160];
    let lens = match pass {
        Pass::Forward => [y, x, w],
        Pass::InputGrad => [x, y, w],
        Pass::WeightGrad => [w, y, x],
    };
    let (out, a, b) = (m.result(lens[0]), m.x(lens[1]), m.x(lens[2]));
    let scratch = CONV.scratch(pass).min(1000);
    let scratch = m.scratch(scratch);
    let spec = match case / 3 {
        // All is right but the scratch memory.
        0 => CONV,
        1 => Conv2dSpec { batch: MAX, ..CONV },
        2 => Conv2dSpec { batch: HALF, in_channels: HALF, ..CONV },
        3 => Conv2dSpec { padding: [MAX / 2, 1], ..CONV },
        4 => Conv2dSpec { padding: [HALF, 1], stride: [HALF, 1], ..CONV },
        5 => Conv2dSpec { dilation: [1, MAX], ..CONV },
        6 => Conv2dSpec { stride: [0, 1], ..CONV },
        7 => Conv2dSpec { kernel: [0, 3], ..CONV },
        8 => Conv2dSpec { groups: 0, ..CONV },
        9 => Conv2dSpec { groups: 3, ..CONV },
        10 => Conv2dSpec { groups: 4, ..CONV },
        11 => Conv2dSpec { height: 5, ..CONV },
        12 => Conv2dSpec { dilation: [0, 1], ..CONV },
        _ => Conv2dSpec { kernel: [HALF, HALF], ..CONV },
    };
    let scratch = if case / 3 == 0 { scratch.part(0, 1) } else { scratch };
    k.conv2d(pass, out, [a, b], scratch, spec);
});

refused!(prepared_convolutions, 4, |k, m, case| {
    let (y, x, w) = (m.result(160), m.x(80), m.x(72));
    let (prepared, scratch) = (m.scratch(CONV.prepared_len()), m.scratch(10));
    match case {
        0 | 1 => {
            let kernel = if case == 0 { [0, 3] } else { [HALF, HALF] };
            let spec = Conv2dSpec { kernel, ..CONV };
            k.conv2d_prepare(prepared, w, spec);
            k.conv2d_prepared(y, x, [w, prepared], scratch, spec);
        }
        2 => k.conv2d_prepared(y, x, [w, prepared], scratch, CONV),
        _ => {
            let spec = Conv2dSpec { padding: [MAX, MAX], ..CONV };
            k.conv2d_prepared(y, x, [w, prepared], scratch, spec);
        }
    }
});

refused!(pools, 28, |k, m, case| {
    let spec = Pool2dSpec {
        planes: 2,
        height: 4,
        width: 6,
        kernel: [2, 2],
        stride: [2, 2],
        padding: [0, 0],
        dilation: [1, 1],
    };
    let spec = match case / 4 {
        0 => Pool2dSpec { height: HALF, width: HALF, ..spec },
        1 => Pool2dSpec { planes: MAX, ..spec },
        2 => Pool2dSpec { stride: [0, 2], ..spec },
        3 => Pool2dSpec { padding: [MAX / 2 + 1, 0], ..spec },
        4 => Pool2dSpec { kernel: [2, 0], ..spec },
        5 => Pool2dSpec { height: 5, ..spec },
        _ => Pool2dSpec { planes: 4, height: 3, ..spec },
    };
    let (x, y) = (m.x(48), m.x(12));
    let (to_y, index, to_x) = (m.result(12), m.result(11), m.result(48));
    match case % 4 {
        0 => k.max_pool2d(to_y, None, x, spec),
        1 => k.max_pool2d_grad(to_x, y, index, spec),
        2 => k.avg_pool2d(to_y, x, Pool2dSpec { dilation: [2, 1], ..spec }),
        _ => k.avg_pool2d_grad(to_x.part(0, 47), y, spec),
    }
});

// Rooms whose kernels are safe code: what they say instead of an index that is out of bounds.
refused!(rows, 16, |k, m, case| {
    let (y, x, z) = (m.result(12), m.x(12), m.result(12));
    let half = SoftmaxSpec { outer: HALF, size: HALF, inner: 3 };
    match case {
        0 => k.softmax(y, x, half),
        1 => k.log_softmax(y, x, SoftmaxSpec { outer: 2, size: 3, inner: 1 }),
        2 => k.softmax_grad(y, x, x.part(0, 6), SoftmaxSpec { outer: 4, size: 3, inner: 1 }),
        3 => k.argmax(y.part(0, 4), x, SoftmaxSpec { outer: 4, size: 4, inner: 1 }),
        4 => k.cumsum(y, x, CumsumSpec { outer: HALF, size: HALF, inner: 1, reverse: false }),
        5 => {
            let affine = Affine { weight: x.part(0, 0), bias: x.part(0, 0) };
            let spec = LayerNormSpec { rows: HALF, dim: HALF, eps: 1e-5, centred: true };
            k.layer_norm(y, z.part(0, 0), x, affine, spec);
        }
        6 => {
            let spec = BatchNormSpec { batch: HALF, channels: 3, inner: HALF, eps: 1e-5 };
            k.batch_norm_statistics([y.part(0, 3), y.part(3, 3)], y.part(6, 3), x, None, spec);
        }
        7 => {
            let [interleaved, inverse] = [false; 2];
            let (outer, len, inner, past) = (HALF, HALF, HALF, 0);
            let spec =
                RotarySpec { outer, len, inner, dim: 4, past, base: 1e4, interleaved, inverse };
            k.rotary(y, x, spec);
        }
        8 => k.sinusoidal(y, HALF, HALF + 1, 1e4),
        9 => k.permute(y, x, [HALF, HALF], [0, 1]),
        10 => k.permute(y, x, [3, 4], [1, 1]),
        11 | 12 => {
            let dims = if case == 11 { [HALF, HALF] } else { [3, 5] };
            let kept = [true, false];
            k.reduce(y.part(0, 3), x, ReduceSpec { dims, kept, kind: ReduceKind::Sum, scale: 1.0 });
        }
        13 => k.cat(y, x, CatSpec { outer: 3, start: 1, len: 4, total: 4 }),
        14 => k.cat(y, x, CatSpec { outer: 3, start: MAX, len: 4, total: 4 }),
        _ => {
            let mode = InterpolateMode::Bilinear;
            let spec =
                InterpolateSpec { planes: 1, height: 3, width: 4, scale: [HALF, HALF], mode };
            k.interpolate(y, x, spec);
        }
    }
});

// Indices that are none of their tables, and tables that are none.
refused!(look_ups, 8, |k, m, case| {
    let (y, x) = (m.result(12), m.x(12));
    let n = indices(4);
    match case {
        // `INDICES` begins with 2: there are two rows.
        0 => k.embedding(
            y,
            n,
            x.part(0, 6),
            EmbeddingSpec { count: 4, rows: 2, dim: 3, padding: None },
        ),
        1 => k.embedding(y, n, x, EmbeddingSpec { count: 4, rows: HALF, dim: HALF, padding: None }),
        2 => k.embedding_grad(
            y.part(0, 9),
            x,
            n,
            EmbeddingSpec { count: HALF, rows: 3, dim: HALF, padding: None },
        ),
        3 => k.gather(
            y.part(0, 4),
            x.part(0, 2),
            n,
            GatherSpec { outer: 1, size: 2, count: 4, inner: 1 },
        ),
        4 => k.gather_grad(
            y.part(0, 2),
            x.part(0, 4),
            n,
            GatherSpec { outer: 1, size: 2, count: 4, inner: 1 },
        ),
        5 => {
            let spec = CrossEntropySpec { outer: 4, classes: 2, inner: 1, smoothing: 0.0 };
            k.cross_entropy(y.part(0, 1), x.part(0, 8), n, spec);
        }
        6 => {
            let spec = NllLossSpec { outer: 4, classes: 2, inner: 1 };
            k.nll_loss(y.part(0, 1), x.part(0, 8), n, spec);
        }
        _ => k.advance(y.part(0, 11), x, x, n, 0),
    }
});
