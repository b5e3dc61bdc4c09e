//! Products, chains, and what follows one another in memory.

use gradiron::device::{Buf, Kernels};
use gradiron::math::Arith;
use gradiron::ops::cat::CatSpec;
use gradiron::ops::dropout::DropoutSpec;
use gradiron::ops::elementwise::{Elementwise, Operands, functions};
use gradiron::ops::matmul::{Layout, MatmulSpec};
use gradiron::ops::reduce::{ReduceKind, ReduceSpec};

use super::{Memory, calls};

const LAYOUTS: [Layout; 3] = [Layout::NN, Layout::NT, Layout::TN];

calls!(Matmul, 1 << 11, |k, m| {
    for layout in LAYOUTS {
        for (rows, terms, cols) in
            [(1, 5, 3), (3, 9, 17), (9, 7, 21), (20, 3, 1), (1, 1, 1), (2, 0, 3)]
        {
            let spec = MatmulSpec { layout, m: rows, k: terms, n: cols };
            let (y, a, b) = (m.result(rows * cols), m.x(rows * terms), m.x(terms * cols));
            k.matmul(y, a, b, spec);
        }
    }
});

calls!(MatmulPacked, 51_000, |k, m| {
    // An interpreter takes minutes for all of them.
    for rows in if cfg!(miri) { 2..3 } else { 1..4 } {
        let spec = MatmulSpec { layout: Layout::NT, m: rows, k: 130, n: 128 };
        let (a, b) = (m.x(rows * 130), m.x(130 * 128));
        let (y, packed) = (m.result(rows * 128), m.scratch(spec.packed_len()));
        k.matmul_pack(packed, b, spec);
        k.matmul_packed(y, a, b, packed, spec);
    }
});

struct Follow;

impl Elementwise<3, 2, 1> for Follow {
    const TEXT: &'static str = "t0 = add(x0, x1); t1 = relu(t0); t2 = mul(t1, x2); \
                              t3 = mul(t0, c0); t3, t2";
    fn eval<A: Arith>([x, b, z]: [f32; 3], [factor]: [f32; 1]) -> [f32; 2] {
        let sum = functions::add::<A>(x, b);
        let rest = functions::mul::<A>(functions::relu::<A>(sum), z);
        [functions::mul::<A>(sum, factor), rest]
    }
}

/// A chain with angles.
struct Turn;

impl Elementwise<1, 1, 0> for Turn {
    const TEXT: &'static str = "t0 = sin(x0); t0";
    const TURNS: bool = true;
    fn eval<A: Arith>([x]: [f32; 1], []: [f32; 0]) -> [f32; 1] {
        [functions::sin::<A>(x * 1e9)]
    }
    fn is_far<A: Arith>([x]: [f32; 1], []: [f32; 0]) -> bool {
        functions::is_far(x * 1e9)
    }
}

/// A chain over `dims` whose second input has the axes `has`.
fn chain<K: Kernels, const R: usize>(
    k: &mut K,
    m: &mut Memory,
    dims: [usize; R],
    has: [bool; R],
    in_place: bool,
) {
    let len = dims.iter().product();
    let part = (0..R).filter(|&i| has[i]).map(|i| dims[i]).product();
    let (x, part) = (m.x(len), m.x(part));
    let outputs = [m.result(len), m.result(len)];
    let mut first = x;
    if in_place {
        k.copy(outputs[0], x);
        first = outputs[0];
    }
    let inputs = [(first, [true; R]), (part, has), (x, [true; R])];
    k.map::<Follow, 3, 2, 1, R>(outputs, inputs, dims, [0.5]);
}

calls!(Map, 1 << 12, |k, m| {
    chain(k, m, [], [], false);
    chain(k, m, [5], [false], true);
    chain(k, m, [130], [true], false);
    chain(k, m, [2, 70], [true, false], true);
    chain(k, m, [3, 5, 7], [false, true, false], true);
    chain(k, m, [4, 3, 66], [true, false, true], false);
    chain(k, m, [2, 3, 4, 5], [false, true, false, true], false);
    chain(k, m, [3, 0, 4], [true, false, true], false);
    let (x, y) = (m.x(67), m.result(67));
    k.map::<Turn, 1, 1, 0, 1>([y], [(x, [true])], [67], []);
});

struct Double;

impl Elementwise<1, 1, 0> for Double {
    const TEXT: &'static str = "t0 = add(x0, x0); t0";
    fn eval<A: Arith>([x]: [f32; 1], []: [f32; 0]) -> [f32; 1] {
        [x + x]
    }
}

// Elements of several chunks, which threads share.
calls!(MapLong, 1 << 14, |k, m| {
    let len = (1 << 13) + 70;
    let (x, y) = (m.x(len), m.result(len));
    k.map::<Double, 1, 1, 0, 1>([y], [(x, [true])], [len], []);
});

calls!(MatmulChains, 1 << 11, |k, m| {
    for (rows, terms, cols) in [(3, 4, 5), (9, 5, 18), (2, 0, 3)] {
        for layout in LAYOUTS {
            let spec = MatmulSpec { layout, m: rows, k: terms, n: cols };
            let (a, b, z) = (m.x(rows * terms), m.x(terms * cols), m.x(rows * cols));
            let outputs = [m.result(rows * cols), m.result(rows * cols)];
            let inputs = [(outputs[0], [true; 2]), (m.x(cols), [false, true]), (z, [true; 2])];
            let then = Operands { outputs, inputs, dims: [rows, cols], constants: [0.25] };
            k.matmul_map::<Follow, 3, 2, 1, 2>(outputs[0], a, b, spec, then);
        }
    }
});

calls!(Fill, 1 << 10, |k, m| {
    for len in [0, 1, 15, 67] {
        let (x, y) = (m.x(len), m.result(len));
        k.copy(y, x);
        k.accumulate(y, x);
        let y = m.result(len);
        k.fill(y, 2.0);
        k.accumulate(y, x);
    }
});

calls!(Convert, 1 << 9, |k, m| {
    for len in [0, 1, 15, 67] {
        let (x, halves, wide) = (m.x(len), m.scratch(len.div_ceil(2)), m.result(len));
        k.narrow(halves, x);
        k.widen(wide, halves);
    }
});

calls!(Cat, 1 << 9, |k, m| {
    for (outer, parts) in [(1, [3, 4]), (5, [1, 6]), (4, [0, 3])] {
        let total = parts.iter().sum();
        let y = m.result(outer * total);
        let mut start = 0;
        for len in parts {
            let (x, d_x) = (m.x(outer * len), m.result(outer * len));
            let spec = CatSpec { outer, start, len, total };
            k.cat(y, x, spec);
            k.cat_grad(d_x, y, spec);
            start += len;
        }
    }
});

calls!(Permute, 1 << 10, |k, m| {
    let mut one = |dims: [usize; 4], axes: [usize; 4]| {
        let len = dims.iter().product();
        let (x, y) = (m.x(len), m.result(len));
        k.permute(y, x, dims, axes);
    };
    one([2, 3, 4, 5], [0, 2, 1, 3]);
    one([2, 3, 4, 5], [3, 1, 0, 2]);
    one([1, 17, 1, 18], [0, 3, 1, 2]);
    one([1, 1, 1, 1], [3, 2, 1, 0]);
    one([2, 3, 4, 5], [0, 1, 2, 3]);
});

calls!(Reduce, 1 << 13, |k, m| {
    for kind in [ReduceKind::Sum, ReduceKind::Max, ReduceKind::Min] {
        for kept in 0..16 {
            let (dims, kept) = ([2, 3, 1, 70], [1, 2, 4, 8].map(|bit| kept & bit != 0));
            let spec = ReduceSpec { dims, kept, kind, scale: 0.5 };
            let (x, y) = (m.x(420), m.result(spec.output_len()));
            k.reduce(y, x, spec);
        }
    }
});

calls!(Dropout, 1 << 10, |k, m| {
    for len in [1, 67, 130] {
        let (x, y, call) = (m.x(len), m.result(len), m.scratch(1));
        k.dropout(y, call, x, DropoutSpec { p: 0.3 });
        let d_x = m.result(len);
        k.dropout_grad(d_x, x, call, DropoutSpec { p: 0.3 });
        // In place, and without the number of the call.
        let none: Buf = call.part(0, 0);
        k.dropout(y, none, y, DropoutSpec { p: 1.0 });
    }
});
