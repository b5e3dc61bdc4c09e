//! What LeNet, U-Nets and residual networks need beside convolutions.

use gradiron::ops::cat::{Cat, CatSpec};
use gradiron::ops::conv2d::Conv2dSpec;
use gradiron::ops::interpolate::{Interpolate, InterpolateMode, InterpolateSpec};
use gradiron::ops::pool2d::{Pool2d, Pool2dSpec};
use gradiron::ops::reduce::{Reduce, ReduceKind, ReduceSpec};

use crate::bench::{Bench, Work, operand};
use crate::conv2d::conv;

pub fn run(bench: &mut Bench) {
    max_pool(bench);
    for (channels, side) in [(16, 32), (32, 16), (64, 8)] {
        // The transposed convolution from `2 · channels` to `channels`: roles are swapped.
        let spec = Conv2dSpec {
            stride: [2, 2],
            ..Conv2dSpec::new(8, [channels, 2 * channels], [2 * side; 2], [2, 2])
        };
        conv(bench, &format!("2x2 stride 2, {channels}, {side}²"), spec);
        let half = channels * 4 * side * side;
        let (y, x) = (operand(0, 16 * half), operand(1, 8 * half));
        let spec = CatSpec { outer: 8, start: 0, len: half, total: 2 * half };
        bench.time(
            &format!("cat 2 x [8, {channels}, {0}, {0}]", 2 * side),
            Work::floats(2 * y.len),
            |step| {
                step.cat(y, x, spec);
                step.cat(y, x, CatSpec { start: half, ..spec });
            },
        );
        bench.time("cat gradient", Work::floats(2 * y.len), |step| {
            step.cat_grad(x, y, spec);
            step.cat_grad(x, y, CatSpec { start: half, ..spec });
        });
    }
    for mode in
        [InterpolateMode::Nearest, InterpolateMode::Bilinear, InterpolateMode::BilinearCorners]
    {
        let spec = InterpolateSpec { planes: 256, height: 32, width: 32, scale: [2, 2], mode };
        let (y, x) = (operand(0, spec.output_len()), operand(1, spec.input_len()));
        bench.time(
            &format!("{mode:?} [8, 32, 32, 32] to 64²"),
            Work::floats(y.len + x.len),
            |step| {
                step.interpolate(y, x, spec);
            },
        );
        bench.time(&format!("{mode:?} gradient"), Work::floats(y.len + x.len), |step| {
            step.interpolate_grad(x, y, spec)
        });
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
        bench.time(&name, Work::floats(x.len), |step| step.reduce(y, x, spec));
    }
}

fn max_pool(bench: &mut Bench) {
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
    let work = Work::floats(x.len + y.len + index.len);
    bench.time("max_pool2d 2x2 [384, 28, 28]", work, |step| {
        step.max_pool2d(y, Some(index), x, pool)
    });
    bench.time("max_pool2d 2x2 [384, 28, 28] gradient", work, |step| {
        step.max_pool2d_grad(x, y, index, pool)
    });
}
