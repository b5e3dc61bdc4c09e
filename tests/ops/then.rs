//! Kernels that go on with a chain: the same bits as the kernel and then the chain.

use gradiron::device::Buf;
use gradiron::math::Arith;
use gradiron::ops::conv2d::{Conv2d, Conv2dSpec, Pass};
use gradiron::ops::elementwise::{Elementwise, Epilogue, Map, Operands, functions};
use gradiron::ops::matmul::{Layout, Matmul, MatmulSpec};

use crate::any::AnyKernels;
use crate::harness::*;
use crate::map::Copy;

/// Of a product, something repeated, and something of the product's shape.
struct Follow;

impl Elementwise<3, 2, 1> for Follow {
    const TEXT: &'static str = "t0 = add(x0, x1); t1 = relu(t0); t2 = mul(t1, x2); \
                              t3 = mul(t0, c0); t3, t2";
    #[inline(always)]
    fn eval<A: Arith>([x, b, z]: [f32; 3], [factor]: [f32; 1]) -> [f32; 2] {
        let sum = functions::add::<A>(x, b);
        let rest = functions::mul::<A>(functions::relu::<A>(sum), z);
        [functions::mul::<A>(sum, factor), rest]
    }
}

/// What libraries of products compute themselves.
struct BiasRelu;

impl Elementwise<2, 1, 0> for BiasRelu {
    const TEXT: &'static str = "t0 = add(x0, x1); t1 = relu(t0); t1";
    const EPILOGUE: Option<Epilogue> = Some(Epilogue::BiasRelu);
    #[inline(always)]
    fn eval<A: Arith>([x, b]: [f32; 2], []: [f32; 0]) -> [f32; 1] {
        [functions::relu::<A>(functions::add::<A>(x, b))]
    }
}

type Then<const R: usize> = Operands<3, 2, 1, R>;

/// Runs a kernel from `inputs` and the chain, together with the result in memory of its own, in the
/// chain's first output, and with the chain's second output in place of its last input.
fn check<const R: usize>(
    name: &str,
    inputs: [&[f32]; 2],
    scratch: usize,
    (dims, has): ([usize; R], [bool; R]),
    kernel: impl Fn(&mut AnyKernels<'_>, Buf, &[Buf], Buf),
    then: impl Fn(&mut AnyKernels<'_>, Buf, &[Buf], Buf, Then<R>),
) {
    let len = dims.iter().product();
    let repeated = (0..R).filter(|&i| has[i]).map(|i| dims[i]).product();
    let mut rng = Rng(41);
    let (b, z) = (rng.floats(repeated), rng.floats(len));
    let call = Call {
        outputs: &[len; 10],
        inputs: &[inputs[0], inputs[1], &b, &z],
        indices: &[],
        scratch,
    };
    call.run(
        |step, y, x, scratch| {
            let operands = |y: Buf, last: Buf, outputs: [Buf; 2]| Operands {
                outputs,
                inputs: [(y, [true; R]), (x[2], has), (last, [true; R])],
                dims,
                constants: [0.75],
            };
            kernel(step, y[0], x, scratch);
            let plain = operands(y[0], x[3], [y[1], y[2]]);
            step.map::<Follow, 3, 2, 1, R>(plain.outputs, plain.inputs, dims, plain.constants);
            then(step, y[3], x, scratch, operands(y[3], x[3], [y[4], y[5]]));
            then(step, y[6], x, scratch, operands(y[6], x[3], [y[6], y[7]]));
            // The last input, copied, is overwritten.
            step.map::<Copy, 1, 1, 0, 1>([y[9]], [(x[3], [true])], [len], []);
            then(step, y[8], x, scratch, operands(y[8], y[9], [y[8], y[9]]));
        },
        |level, got| {
            for (k, of) in [(3, 0), (4, 1), (5, 2), (6, 1), (7, 2), (8, 1), (9, 2)] {
                assert!(same(&got[k], &got[of]), "{name} {level}: output {k}");
            }
        },
    );
}

#[test]
fn products() {
    let sizes = [
        (1, 1, 1),
        (3, 7, 2),
        (17, 65, 10),
        (64, 17, 65),
        (1, 300, 130),
        (65, 3, 1),
        (5, 0, 9),
        (0, 3, 4),
        (64, 784, 128),
        (300, 520, 270),
        (33, 600, 1100),
    ];
    for layout in [Layout::NN, Layout::NT, Layout::TN] {
        for (m, k, n) in sizes {
            let spec = MatmulSpec { layout, m, k, n };
            let mut rng = Rng(42);
            let (a, b) = (rng.floats(m * k), rng.floats(k * n));
            for has in [[false, true], [true, false], [false, false], [true, true]] {
                check(
                    &format!("{spec:?} {has:?}"),
                    [&a, &b],
                    0,
                    ([m, n], has),
                    |step, y, x, _| step.matmul(y, x[0], x[1], spec),
                    |step, y, x, _, then| {
                        step.matmul_map::<Follow, 3, 2, 1, 2>(y, x[0], x[1], spec, then);
                    },
                );
            }
        }
    }
}

/// A bias and a ReLU are part of the product, whichever kernel or library makes it.
#[test]
fn a_bias_and_a_relu() {
    for (m, k, n) in [(1, 1, 1), (17, 65, 16), (64, 784, 128), (5, 0, 8)] {
        let spec = MatmulSpec { layout: Layout::NT, m, k, n };
        let mut rng = Rng(45);
        let (a, b, bias) = (rng.floats(m * k), rng.floats(k * n), rng.floats(n));
        let call =
            Call { outputs: &[m * n; 3], inputs: &[&a, &b, &bias], indices: &[], scratch: 0 };
        call.run(
            |step, y, x, _| {
                let operands = |to: Buf| Operands {
                    outputs: [to],
                    inputs: [(to, [true; 2]), (x[2], [false, true])],
                    dims: [m, n],
                    constants: [],
                };
                step.matmul_map::<BiasRelu, 2, 1, 0, 2>(y[0], x[0], x[1], spec, operands(y[0]));
                step.matmul(y[1], x[0], x[1], spec);
                let then = operands(y[1]);
                step.map::<BiasRelu, 2, 1, 0, 2>([y[2]], then.inputs, then.dims, []);
            },
            |level, y| {
                // Sums of another order, where a library makes another choice.
                let bound = |i: usize| (k as f64 + 2.0) * EPSILON * (k as f64 + f64::from(y[2][i]));
                assert_close(&format!("{spec:?} {level}"), &y[0], &wide(&y[2]), bound);
                assert!(m * n < 100 || y[0].contains(&0.0), "no result is negative");
            },
        );
    }
}

/// Of packed weights, those that are not large enough to be packed too.
#[test]
fn packed_products() {
    let sizes = [(1, 784, 128), (2, 300, 130), (7, 300, 130), (33, 600, 100), (3, 7, 2)];
    for (m, k, n) in sizes {
        let spec = MatmulSpec { layout: Layout::NT, m, k, n };
        let mut rng = Rng(44);
        let (a, b) = (rng.floats(m * k), rng.floats(k * n));
        for has in [[false, true], [true, false]] {
            check(
                &format!("{spec:?} {has:?}"),
                [&a, &b],
                spec.packed_len(),
                ([m, n], has),
                |step, y, x, packed| {
                    step.matmul_pack(packed, x[1], spec);
                    step.matmul_packed(y, x[0], x[1], packed, spec);
                },
                |step, y, x, packed, then| {
                    step.matmul_packed_map::<Follow, 3, 2, 1, 2>(y, x[0], x[1], packed, spec, then);
                },
            );
        }
    }
}

/// Planes of few and of many positions; with a channel, a pixel, an image and one number repeated.
#[test]
fn convolutions() {
    let spec = |batch, channels, size, kernel, stride, groups| Conv2dSpec {
        stride: [stride; 2],
        padding: [kernel / 2; 2],
        groups,
        ..Conv2dSpec::new(batch, channels, [size; 2], [kernel; 2])
    };
    let specs = [
        spec(1, [1, 1], 1, 1, 1, 1),
        spec(2, [3, 5], 7, 3, 1, 1),
        spec(3, [16, 32], 4, 3, 1, 1),
        spec(2, [1, 6], 28, 5, 1, 1),
        spec(2, [4, 6], 9, 3, 2, 2),
        spec(2, [8, 8], 12, 3, 1, 8),
        spec(2, [20, 24], 8, 1, 1, 1),
        spec(1, [32, 48], 16, 3, 1, 1),
        spec(0, [2, 2], 4, 3, 1, 1),
    ];
    for spec in specs {
        let mut rng = Rng(43);
        let w = rng.floats(spec.weight_len());
        let (x, d_y) = (rng.floats(spec.input_len()), rng.floats(spec.output_len()));
        let y_dims = [spec.batch, spec.out_channels, spec.out_height() * spec.out_width()];
        let x_dims = [spec.batch, spec.in_channels, spec.height * spec.width];
        let masks = [[false, true, false], [false, false, true], [true, false, false], [false; 3]];
        for (pass, a, dims) in [(Pass::Forward, &x, y_dims), (Pass::InputGrad, &d_y, x_dims)] {
            for has in masks {
                check(
                    &format!("{pass:?} {spec:?} {has:?}"),
                    [a, &w],
                    spec.scratch(pass),
                    (dims, has),
                    |step, y, x, scratch| step.conv2d(pass, y, [x[0], x[1]], scratch, spec),
                    |step, y, x, scratch, then| {
                        let of = [x[0], x[1]];
                        step.conv2d_map::<Follow, 3, 2, 1, 3>(pass, y, of, scratch, spec, then);
                    },
                );
            }
            let len = spec.prepared_len();
            let parts =
                |scratch: Buf| (scratch.part(0, len), scratch.part(len, spec.prepared_scratch()));
            for has in masks {
                check(
                    &format!("prepared {spec:?} {has:?}"),
                    [&x, &w],
                    len + spec.prepared_scratch(),
                    (y_dims, has),
                    |step, y, x, scratch| {
                        let (prepared, scratch) = parts(scratch);
                        step.conv2d_prepare(prepared, x[1], spec);
                        step.conv2d_prepared(y, x[0], [x[1], prepared], scratch, spec);
                    },
                    |step, y, x, scratch, then| {
                        let (prepared, scratch) = parts(scratch);
                        let of = [x[1], prepared];
                        step.conv2d_prepared_map::<Follow, 3, 2, 1, 3>(
                            y, x[0], of, scratch, spec, then,
                        );
                    },
                );
            }
        }
    }
}

fn follow(outputs: [usize; 2], first: usize) {
    let (x, w) = ([1.0; 6], [1.0; 6]);
    let call = Call { outputs: &[4, 4, 4], inputs: &[&x, &w, &[1.0; 4]], indices: &[], scratch: 0 };
    let spec = MatmulSpec { layout: Layout::NN, m: 2, k: 3, n: 2 };
    call.run(
        |step, y, x, _| {
            let inputs = [(y[first], [true; 2]), (x[2], [true; 2]), (y[2], [true; 2])];
            let outputs = outputs.map(|k| y[k]);
            let then = Operands { outputs, inputs, dims: [2, 2], constants: [1.0] };
            step.matmul_map::<Follow, 3, 2, 1, 2>(y[0], x[0], x[1], spec, then);
        },
        |_, _| (),
    );
}

#[test]
fn a_chain_may_overwrite_its_operands() {
    follow([0, 2], 0);
}

#[test]
#[should_panic(expected = "a chain does not read the result that it follows")]
fn a_chain_reads_the_result() {
    follow([0, 1], 1);
}
