//! Normalisation, softmax, cross entropy, sums and transposition.

use gradiron::device::Indices;
use gradiron::math::Arith;
use gradiron::ops::batch_norm::{BatchNorm, BatchNormSpec};
use gradiron::ops::cross_entropy::{CrossEntropy, CrossEntropySpec};
use gradiron::ops::elementwise::{Elementwise, Map};
use gradiron::ops::permute::Permute;
use gradiron::ops::reduce::{Reduce, ReduceKind, ReduceSpec};
use gradiron::ops::softmax::{Softmax, SoftmaxSpec};

use crate::bench::{Bench, Work, operand};

pub fn run(bench: &mut Bench) {
    for dims in [[32, 64, 1024], [32, 512, 16], [256, 2048, 1]] {
        batch_norm(bench, dims);
    }
    let size = SoftmaxSpec { outer: 64, size: 1000, inner: 1 };
    let (y, x) = (operand(0, size.elements()), operand(1, size.elements()));
    bench.time("softmax [64, 1000]", Work::floats(2 * x.len), |step| step.softmax(y, x, size));
    let spec = CrossEntropySpec { outer: 512, classes: 10_000, inner: 1, smoothing: 0.0 };
    let (loss, label) = (operand(2, 1), Indices::new(0, 512));
    let (d_x, x) = (operand(0, 512 * 10_000), operand(1, 512 * 10_000));
    bench.time("cross_entropy [512, 10000]", Work::floats(x.len), |step| {
        step.cross_entropy(loss, x, label, spec);
    });
    bench.time("cross_entropy with gradient", Work::floats(2 * x.len), |step| {
        step.cross_entropy_with_grad(loss, d_x, x, label, spec);
    });
    bench.time("cross_entropy in place", Work::floats(2 * x.len), |step| {
        step.cross_entropy_with_grad(loss, x, x, label, spec);
    });
    let kept = [[false, true, false], [true, true, false], [false, false, true], [false; 3]];
    for kept in kept {
        let spec = ReduceSpec { dims: [64, 6, 784], kept, kind: ReduceKind::Sum, scale: 1.0 };
        let (y, x) = (operand(0, spec.output_len()), operand(1, 64 * 6 * 784));
        bench.time(&format!("sum [64, 6, 784] {kept:?}"), Work::floats(x.len + y.len), |step| {
            step.reduce(y, x, spec)
        });
    }
    let (y, x) = (operand(0, 1 << 20), operand(1, 1 << 20));
    bench.time("transpose [1024, 1024]", Work::floats(2 << 20), |step| {
        step.permute(y, x, [1024, 1024], [1, 0])
    });
}

/// `y = x · scale + shift`
struct Normalise;

impl Elementwise<4, 1, 0> for Normalise {
    const TEXT: &'static str = "mul_add(sub(x0, x1), x2, x3)";
    #[inline(always)]
    fn eval<A: Arith>([x, mean, scale, shift]: [f32; 4], []: [f32; 0]) -> [f32; 1] {
        [A::mul_add(x - mean, scale, shift)]
    }
}

/// `d_x = (d_y + (x − mean) · slope + offset) · scale`
struct NormaliseGrad;

impl Elementwise<6, 1, 0> for NormaliseGrad {
    const TEXT: &'static str = "mul(add(x0, mul_add(sub(x1, x2), x3, x4)), x5)";
    #[inline(always)]
    fn eval<A: Arith>([d_y, x, mean, slope, offset, scale]: [f32; 6], []: [f32; 0]) -> [f32; 1] {
        [(d_y + A::mul_add(x - mean, slope, offset)) * scale]
    }
}

/// Batch normalisation, forward and backward, for `[batch, channels, inner]`.
fn batch_norm(bench: &mut Bench, dims: [usize; 3]) {
    let [batch, channels, inner] = dims;
    let spec = BatchNormSpec { batch, channels, inner, eps: 1e-5 };
    let len = spec.elements();
    let [x, y, d_y, d_x] = [0, 1, 2, 3].map(|n| operand(n, len));
    let [mean, rest, invstd, d_w, d_b, w, b] =
        [0, 1, 2, 3, 4, 5, 6].map(|n| operand(4, 7 * channels).part(n * channels, channels));
    let both = [mean, rest];
    let name = format!("batch_norm {dims:?}");
    let (full, each) = ([true; 3], [false, true, false]);
    // As generated code merges the axes.
    let (dims, each) =
        if inner == 1 { ([1, batch, channels], [false, false, true]) } else { (dims, each) };
    bench.time(&format!("{name} statistics"), Work::floats(len), |step| {
        step.batch_norm_statistics(both, invstd, x, None, spec);
    });
    bench.time(&format!("{name} sums"), Work::floats(2 * len), |step| {
        step.batch_norm_sums(d_w, d_b, d_y, x, both, invstd, spec);
    });
    bench.time(&format!("{name} forward + backward"), Work::floats(8 * len), |step| {
        step.batch_norm_statistics(both, invstd, x, None, spec);
        let inputs = [(x, full), (mean, each), (w, each), (b, each)];
        step.map::<Normalise, 4, 1, 0, 3>([y], inputs, dims, []);
        step.batch_norm_sums(d_w, d_b, d_y, x, both, invstd, spec);
        let [m, slope, offset, scale] = [mean, w, b, invstd].map(|buf| (buf, each));
        let inputs = [(d_y, full), (x, full), m, slope, offset, scale];
        step.map::<NormaliseGrad, 6, 1, 0, 3>([d_x], inputs, dims, []);
    });
}
