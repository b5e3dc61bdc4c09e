//! Times of kernels: `cargo bench --bench kernels -- [threads] [part of a name]`;
//! with `plain` as the name's successor, without Winograd's algorithm.

use std::time::Instant;

use gradiron::device::{Buf, Cpu, CpuStep, Device, Indices, Precision, Region, StepMemory};
use gradiron::math::Arith;
use gradiron::ops::batch_norm::{BatchNorm, BatchNormSpec};
use gradiron::ops::cat::{Cat, CatSpec};
use gradiron::ops::conv2d::{Conv2d, Conv2dSpec, Pass};
use gradiron::ops::cross_entropy::{CrossEntropy, CrossEntropySpec};
use gradiron::ops::elementwise::{Elementwise, Map, functions};
use gradiron::ops::interpolate::{Interpolate, InterpolateMode, InterpolateSpec};
use gradiron::ops::matmul::{Layout, Matmul, MatmulSpec};
use gradiron::ops::permute::Permute;
use gradiron::ops::pool2d::{Pool2d, Pool2dSpec};
use gradiron::ops::reduce::{Reduce, ReduceKind, ReduceSpec};
use gradiron::ops::softmax::{Softmax, SoftmaxSpec};
use gradiron::storage::Storage;

const ROOM: usize = 512 * 10_000;

/// Defines chains of one output for [`Map`].
macro_rules! chains {
    ($($name:ident($($x:ident),*) = $($func:ident)|+;)*) => {
        $(struct $name;
        impl Elementwise<{ [$(stringify!($x)),*].len() }, 1, 0> for $name {
            const TEXT: &'static str = stringify!($name);
            #[inline(always)]
            fn eval<A: Arith>([$($x),*]: [f32; [$(stringify!($x)),*].len()], []: [f32; 0]) -> [f32; 1] {
                chains!(@apply A ($($x),*) $($func)|+)
            }
        })*
    };
    (@apply $A:ident ($($x:expr),*) $func:ident) => {
        [functions::$func::<$A>($($x),*)]
    };
    (@apply $A:ident ($($x:expr),*) $func:ident | $($rest:ident)|+) => {
        chains!(@apply $A (functions::$func::<$A>($($x),*)) $($rest)|+)
    };
}

chains! {
    AddRelu(x, b) = add | relu;
    Add(x, b) = add;
    ReluGrad(d, y) = relu_grad;
    Gelu(x) = gelu;
    GeluGrad(d, x) = gelu_grad;
    TanhExp(x) = tanh | exp;
}

struct Bench {
    cpu: Cpu,
    /// What the names of the kernels contain that are timed.
    filter: String,
    arena: Storage,
}

/// The part of the arena for the n-th operand.
fn operand(n: usize, len: usize) -> Buf {
    Buf::new(Region::Arena, n * ROOM, len)
}

impl Bench {
    /// The median of the times, in µs.
    fn time(&mut self, name: &str, flops: usize, kernel: impl Fn(&mut CpuStep<'_>)) {
        if !name.contains(&self.filter) {
            return;
        }
        let (params, mut grads) = (Storage::zeros(0), Storage::zeros(0));
        let begin = Instant::now();
        let mut times: Vec<f64> = (0..200)
            .take_while(|&i| i < 10 || begin.elapsed().as_secs_f64() < 0.25)
            .map(|_| {
                let mut step = self.cpu.step(StepMemory {
                    params: &params,
                    grads: &mut grads,
                    arena: &mut self.arena,
                    inputs: &[],
                    indices: &[3; 512],
                });
                let start = Instant::now();
                kernel(&mut step);
                start.elapsed().as_secs_f64()
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let (median, best) = (times[times.len() / 2], times[0]);
        let rate = flops as f64 / median * 1e-9;
        println!("{name:40} {:11.3} µs  (best {:11.3})  {rate:7.1} G/s", median * 1e6, best * 1e6);
    }

    fn conv(&mut self, name: &str, spec: Conv2dSpec) {
        let x = operand(0, spec.input_len());
        let w = operand(1, spec.weight_len());
        let y = operand(2, spec.output_len());
        let (d_x, d_w) = (operand(3, x.len), operand(4, w.len));
        let flops = 2 * y.len * (w.len / spec.out_channels);
        let passes = [
            ("forward", Pass::Forward, y, [x, w]),
            ("input gradient", Pass::InputGrad, d_x, [y, w]),
            ("weight gradient", Pass::WeightGrad, d_w, [y, x]),
        ];
        for (title, pass, out, of) in passes {
            let scratch = operand(5, spec.scratch(pass));
            self.time(&format!("{name} {title}"), flops, |step| {
                step.conv2d(pass, out, of, scratch, spec);
            });
        }
    }
}

/// `y = x · scale + shift`
struct Normalise;

impl Elementwise<3, 1, 0> for Normalise {
    const TEXT: &'static str = "add(mul(x0, x1), x2)";
    #[inline(always)]
    fn eval<A: Arith>([x, scale, shift]: [f32; 3], []: [f32; 0]) -> [f32; 1] {
        [x * scale + shift]
    }
}

/// `d_x = d_y · scale + x · slope + offset`
struct NormaliseGrad;

impl Elementwise<5, 1, 0> for NormaliseGrad {
    const TEXT: &'static str = "add(add(mul(x0, x2), mul(x1, x3)), x4)";
    #[inline(always)]
    fn eval<A: Arith>([d_y, x, scale, slope, offset]: [f32; 5], []: [f32; 0]) -> [f32; 1] {
        [d_y * scale + x * slope + offset]
    }
}

/// Batch normalisation, forward and backward, for `[batch, channels, inner]`.
fn batch_norm(bench: &mut Bench, dims: [usize; 3]) {
    let [batch, channels, inner] = dims;
    let spec = BatchNormSpec { batch, channels, inner, eps: 1e-5 };
    let len = spec.elements();
    let [x, y, d_y, d_x] = [0, 1, 2, 3].map(|n| operand(n, len));
    let [mean, invstd, d_w, d_b, w, b] =
        [0, 1, 2, 3, 4, 5].map(|n| operand(4, 6 * channels).part(n * channels, channels));
    let name = format!("batch_norm {dims:?}");
    let (full, each) = ([true; 3], [false, true, false]);
    // As generated code merges the axes.
    let (dims, each) =
        if inner == 1 { ([1, batch, channels], [false, false, true]) } else { (dims, each) };
    bench.time(&format!("{name} statistics"), len, |step| {
        step.batch_norm_statistics(mean, invstd, x, None, spec);
    });
    bench.time(&format!("{name} sums"), len, |step| {
        step.batch_norm_sums(d_w, d_b, d_y, x, mean, invstd, spec);
    });
    bench.time(&format!("{name} forward + backward"), len, |step| {
        step.batch_norm_statistics(mean, invstd, x, None, spec);
        step.map::<Normalise, 3, 1, 0, 3>([y], [(x, full), (w, each), (b, each)], dims, []);
        step.batch_norm_sums(d_w, d_b, d_y, x, mean, invstd, spec);
        let inputs = [(d_y, full), (x, full), (w, each), (mean, each), (b, each)];
        step.map::<NormaliseGrad, 5, 1, 0, 3>([d_x], inputs, dims, []);
    });
}

fn main() {
    let threads = std::env::args().filter_map(|arg| arg.parse().ok()).next();
    let cpu = threads.map_or_else(Cpu::new, Cpu::with_threads);
    // `cargo bench` adds a flag of its own.
    let other = |arg: &String| arg.parse::<usize>().is_err() && !arg.starts_with("--");
    let mut words = std::env::args().skip(1).filter(other);
    let filter = words.next().unwrap_or_default();
    let cpu = cpu.with_winograd(words.next().is_none_or(|word| word != "plain"));
    println!("{cpu:?}");
    let mut arena = Storage::zeros(8 * ROOM);
    arena.as_mut_slice().iter_mut().enumerate().for_each(|(i, x)| *x = (i % 17) as f32 * 0.1 - 0.8);
    let mut bench = Bench { cpu, filter, arena };
    for layout in [Layout::NN, Layout::NT, Layout::TN] {
        for (m, k, n) in
            [(64, 784, 128), (64, 128, 10), (64, 400, 120), (1, 784, 128), (1024, 1024, 1024)]
        {
            let spec = MatmulSpec { layout, m, k, n };
            let (y, a, b) = (operand(0, m * n), operand(1, m * k), operand(2, k * n));
            bench.time(&format!("{layout:?} {m}x{k}x{n}"), 2 * m * n * k, |step| {
                step.matmul(y, a, b, spec);
            });
        }
    }
    bench.cpu = bench.cpu.with_precision(Precision::Bf16);
    for layout in [Layout::NN, Layout::NT, Layout::TN] {
        for (m, k, n) in [(64, 784, 128), (256, 2048, 2048), (1024, 1024, 1024)] {
            let spec = MatmulSpec { layout, m, k, n };
            let (y, a, b) = (operand(0, m * n), operand(1, m * k), operand(2, k * n));
            bench.time(&format!("bf16 {layout:?} {m}x{k}x{n}"), 2 * m * n * k, |step| {
                step.matmul(y, a, b, spec);
            });
        }
    }
    bench.cpu = bench.cpu.with_precision(Precision::F32);
    convs(&mut bench);
    let pool = Pool2dSpec {
        planes: 384,
        height: 28,
        width: 28,
        kernel: [2, 2],
        stride: [2, 2],
        padding: [0, 0],
        dilation: [1, 1],
    };
    let (x, y, index) = (
        operand(0, pool.input_len()),
        operand(1, pool.output_len()),
        operand(2, pool.output_len()),
    );
    bench.time("max_pool2d 2x2 [384, 28, 28]", x.len, |step| {
        step.max_pool2d(y, Some(index), x, pool)
    });
    bench.time("max_pool2d_grad", x.len, |step| step.max_pool2d_grad(x, y, index, pool));
    for dims in [[32, 64, 1024], [32, 512, 16], [256, 2048, 1]] {
        batch_norm(&mut bench, dims);
    }
    let size = SoftmaxSpec { outer: 64, size: 1000, inner: 1 };
    let (y, x) = (operand(0, size.elements()), operand(1, size.elements()));
    bench.time("softmax [64, 1000]", x.len, |step| step.softmax(y, x, size));
    let spec = CrossEntropySpec { outer: 512, classes: 10_000, inner: 1, smoothing: 0.0 };
    let (loss, label) = (operand(2, 1), Indices::new(0, 512));
    let (d_x, x) = (operand(0, 512 * 10_000), operand(1, 512 * 10_000));
    bench.time("cross_entropy [512, 10000]", x.len, |step| {
        step.cross_entropy(loss, x, label, spec);
    });
    bench.time("cross_entropy with gradient", x.len, |step| {
        step.cross_entropy_with_grad(loss, d_x, x, label, spec);
    });
    bench.time("cross_entropy in place", x.len, |step| {
        step.cross_entropy_with_grad(loss, x, x, label, spec);
    });
    let kept = [[false, true, false], [true, true, false], [false, false, true], [false; 3]];
    for kept in kept {
        let spec = ReduceSpec { dims: [64, 6, 784], kept, kind: ReduceKind::Sum, scale: 1.0 };
        let (y, x) = (operand(0, spec.output_len()), operand(1, 64 * 6 * 784));
        bench.time(&format!("sum [64, 6, 784] {kept:?}"), x.len, |step| step.reduce(y, x, spec));
    }
    let (y, x) = (operand(0, 1 << 20), operand(1, 1 << 20));
    bench.time("transpose [1024, 1024]", 1 << 20, |step| step.permute(y, x, [1024, 1024], [1, 0]));
    images(&mut bench);
    maps(&mut bench);
}

/// The convolutions of LeNet, of ResNet-18 on CIFAR-10, batch 32, and of a U-Net on 64², batch 8.
fn convs(bench: &mut Bench) {
    let same = |batch, channels, side: usize, kernel: usize| Conv2dSpec {
        padding: [kernel / 2; 2],
        ..Conv2dSpec::new(batch, channels, [side; 2], [kernel; 2])
    };
    bench.conv("LeNet conv1", same(64, [1, 6], 28, 5));
    bench.conv("LeNet conv2", Conv2dSpec::new(64, [6, 16], [14; 2], [5; 2]));
    let large = same(8, [64, 64], 28, 3);
    bench.conv("64 to 64, 3x3, 28², batch 8", large);
    bench.conv("depthwise 64, 3x3, 28², batch 8", Conv2dSpec { groups: 64, ..large });
    let cases = [
        (32, 3, 64, 32, 3, 1),
        (32, 64, 64, 32, 3, 1),
        (32, 64, 128, 32, 3, 2),
        (32, 64, 128, 32, 1, 2),
        (32, 128, 128, 16, 3, 1),
        (32, 128, 256, 16, 3, 2),
        (32, 256, 256, 8, 3, 1),
        (32, 256, 512, 8, 3, 2),
        (32, 512, 512, 4, 3, 1),
        (8, 16, 16, 64, 3, 1),
        (8, 32, 16, 64, 3, 1),
        (8, 16, 32, 32, 3, 1),
        (8, 32, 32, 32, 3, 1),
        (8, 64, 64, 16, 3, 1),
        (8, 128, 128, 8, 3, 1),
        (1, 64, 64, 32, 3, 1),
        (1, 128, 128, 16, 3, 1),
        (1, 256, 256, 8, 3, 1),
        (1, 512, 512, 4, 3, 1),
    ];
    for (batch, inputs, outputs, side, kernel, stride) in cases {
        let name = format!("{inputs} to {outputs}, {kernel}x{kernel} s{stride}, {side}², {batch}");
        let spec = same(batch, [inputs, outputs], side, kernel);
        bench.conv(&name, Conv2dSpec { stride: [stride; 2], ..spec });
    }
}

/// What U-Nets and residual networks need besides; rates are floats of the larger side.
fn images(bench: &mut Bench) {
    for (channels, side) in [(16, 32), (32, 16), (64, 8)] {
        // The transposed convolution from `2 · channels` to `channels`: roles are swapped.
        let spec = Conv2dSpec {
            stride: [2, 2],
            ..Conv2dSpec::new(8, [channels, 2 * channels], [2 * side; 2], [2, 2])
        };
        bench.conv(&format!("2x2 stride 2, {channels}, {side}²"), spec);
        let half = channels * 4 * side * side;
        let (y, x) = (operand(0, 16 * half), operand(1, 8 * half));
        let spec = CatSpec { outer: 8, start: 0, len: half, total: 2 * half };
        bench.time(&format!("cat 2 x [8, {channels}, {0}, {0}]", 2 * side), y.len, |step| {
            step.cat(y, x, spec);
            step.cat(y, x, CatSpec { start: half, ..spec });
        });
        bench.time("cat gradient", y.len, |step| {
            step.cat_grad(x, y, spec);
            step.cat_grad(x, y, CatSpec { start: half, ..spec });
        });
    }
    for mode in
        [InterpolateMode::Nearest, InterpolateMode::Bilinear, InterpolateMode::BilinearCorners]
    {
        let spec = InterpolateSpec { planes: 256, height: 32, width: 32, scale: [2, 2], mode };
        let (y, x) = (operand(0, spec.output_len()), operand(1, spec.input_len()));
        bench.time(&format!("{mode:?} [8, 32, 32, 32] to 64²"), y.len, |step| {
            step.interpolate(y, x, spec);
        });
        bench.time("gradient", y.len, |step| step.interpolate_grad(x, y, spec));
    }
    for (channels, side) in [(512, 4), (64, 32)] {
        let spec = ReduceSpec {
            dims: [32, channels, side, side],
            kept: [true, true, false, false],
            kind: ReduceKind::Sum,
            scale: 1.0 / (side * side) as f32,
        };
        let (y, x) = (operand(0, 32 * channels), operand(1, 32 * channels * side * side));
        let name = format!("global average [32, {channels}, {side}, {side}]");
        bench.time(&name, x.len, |step| step.reduce(y, x, spec));
    }
}

/// Elementwise chains; their rates are bytes read and written.
fn maps(bench: &mut Bench) {
    let full = [true; 3];
    let row = |n, len| (operand(n, len), [true; 2]);
    let image = 64 * 6 * 784;
    let (y, x, d) = (operand(0, image), operand(1, image), operand(2, image));
    let bias = (operand(3, 6), [false, true, false]);
    bench.time("add + relu [64, 6, 784] + [6, 1]", 8 * image, |step| {
        step.map::<AddRelu, 2, 1, 0, 3>([y], [(x, full), bias], [64, 6, 784], []);
    });
    bench.time("relu_grad [64, 6, 784]", 12 * image, |step| {
        step.map::<ReluGrad, 2, 1, 0, 1>([y], [(d, [true]), (x, [true])], [image], []);
    });
    let wide = 2048 * 1536;
    let (y, x, d) = (operand(0, wide), operand(1, wide), operand(2, wide));
    bench.time("gelu [2048, 1536]", 8 * wide, |step| {
        step.map::<Gelu, 1, 1, 0, 1>([y], [(x, [true])], [wide], []);
    });
    bench.time("gelu_grad [2048, 1536]", 12 * wide, |step| {
        step.map::<GeluGrad, 2, 1, 0, 1>([y], [(d, [true]), (x, [true])], [wide], []);
    });
    bench.time("tanh + exp [2048, 1536]", 8 * wide, |step| {
        step.map::<TanhExp, 1, 1, 0, 1>([y], [(x, [true])], [wide], []);
    });
    for (rows, cols) in [(64, 10), (64, 128), (100, 1), (2048, 10), (2048, 1536)] {
        let len = rows * cols;
        bench.time(&format!("add [{rows}, {cols}] + [{cols}]"), 8 * len, |step| {
            let bias = (operand(3, cols), [false, true]);
            step.map::<Add, 2, 1, 0, 2>([y.part(0, len)], [row(1, len), bias], [rows, cols], []);
        });
        bench.time(&format!("add [{rows}, {cols}] + [{rows}, 1]"), 8 * len, |step| {
            let column = (operand(3, rows), [true, false]);
            step.map::<Add, 2, 1, 0, 2>([y.part(0, len)], [row(1, len), column], [rows, cols], []);
        });
    }
}
