//! Planes: convolutions by every algorithm, pooling, interpolation.

use gradiron::ops::conv2d::{Algorithm, Conv2d as _, Conv2dSpec, Pass};
use gradiron::ops::elementwise::{Elementwise, Operands};
use gradiron::ops::fill::Fill as _;
use gradiron::ops::interpolate::{InterpolateMode, InterpolateSpec};
use gradiron::ops::pool2d::Pool2dSpec;

use crate::memory::{check, check_all, room};

/// Small convolutions, one of each kind.
fn specs() -> Vec<Conv2dSpec> {
    let new = Conv2dSpec::new;
    vec![
        Conv2dSpec { padding: [1, 1], ..new(2, [2, 3], [5, 6], [3, 3]) },
        Conv2dSpec { stride: [2, 3], padding: [1, 2], ..new(1, [3, 2], [7, 9], [3, 2]) },
        Conv2dSpec { dilation: [2, 1], groups: 2, ..new(2, [4, 6], [6, 5], [2, 3]) },
        new(3, [1, 17], [3, 3], [1, 1]),
        // A window as large as the plane, and padding that it does not leave.
        Conv2dSpec { padding: [2, 2], ..new(1, [1, 1], [2, 2], [3, 3]) },
    ]
}

fn lens(spec: &Conv2dSpec, pass: Pass) -> [usize; 3] {
    let [x, w, y] = [spec.input_len(), spec.weight_len(), spec.output_len()];
    match pass {
        Pass::Forward => [y, x, w],
        Pass::InputGrad => [x, y, w],
        Pass::WeightGrad => [w, y, x],
    }
}

const PASSES: [Pass; 3] = [Pass::Forward, Pass::InputGrad, Pass::WeightGrad];

room!(Convolutions, 1 << 15, |k, m| {
    for spec in specs() {
        for pass in PASSES {
            let [out, a, b] = lens(&spec, pass);
            let (out, a, b) = (m.result(out), m.x(a), m.x(b));
            let scratch = m.scratch(spec.scratch(pass));
            k.conv2d(pass, out, [a, b], scratch, spec);
        }
        let (prepared, y) = (m.scratch(spec.prepared_len()), m.result(spec.output_len()));
        let (x, w) = (m.x(spec.input_len()), m.x(spec.weight_len()));
        let scratch = m.scratch(spec.prepared_scratch());
        k.conv2d_prepare(prepared, w, spec);
        k.conv2d_prepared(y, x, [w, prepared], scratch, spec);
    }
});

struct AddBias;

impl Elementwise<2, 1, 0> for AddBias {
    const TEXT: &'static str = "t0 = add(x0, x1); t0";
    fn eval<A: gradiron::math::Arith>([x, b]: [f32; 2], []: [f32; 0]) -> [f32; 1] {
        [x + b]
    }
}

room!(Followed, 1 << 12, |k, m| {
    for spec in specs() {
        let rows = [spec.batch, spec.out_channels, spec.out_height(), spec.out_width()];
        let y = m.result(spec.output_len());
        let (x, w) = (m.x(spec.input_len()), m.x(spec.weight_len()));
        let inputs = [(y, [true; 4]), (m.x(spec.out_channels), [false, true, false, false])];
        let then = Operands { outputs: [y], inputs, dims: rows, constants: [] };
        let scratch = m.scratch(spec.scratch(Pass::Forward));
        k.conv2d_map::<AddBias, 2, 1, 0, 4>(Pass::Forward, y, [x, w], scratch, spec, then);
    }
});

#[test]
fn convolutions() {
    check::<Convolutions>();
}

#[test]
fn convolutions_and_chains() {
    check::<Followed>();
}

#[test]
fn convolutions_by_every_algorithm() {
    for algorithm in [Algorithm::Direct, Algorithm::Winograd, Algorithm::Windows] {
        for spec in specs() {
            for pass in PASSES.into_iter().filter(|pass| spec.fits(*pass, algorithm)) {
                let floats = lens(&spec, pass)[0] + spec.scratch_of(pass, algorithm) + 100;
                check_all(&format!("{algorithm:?} {pass:?}"), floats, true, |m, step| {
                    let [out, a, b] = lens(&spec, pass);
                    let (out, a, b) = (m.result(out), m.x(a), m.x(b));
                    let scratch = m.scratch(spec.scratch_of(pass, algorithm));
                    step.convolve_by(algorithm);
                    step.conv2d(pass, out, [a, b], scratch, spec);
                });
            }
        }
    }
}

/// Parts of a result that a chain takes over while others are computed.
#[test]
fn chains_behind_every_algorithm() {
    for algorithm in [Algorithm::Direct, Algorithm::Winograd, Algorithm::Windows] {
        let spec = specs()[0];
        for pass in PASSES {
            let len = lens(&spec, pass)[0];
            let floats = len + spec.scratch_of(pass, algorithm) + 100;
            check_all(&format!("{algorithm:?} {pass:?} and a chain"), floats, true, |m, step| {
                let [len, a, b] = lens(&spec, pass);
                let (out, a, b) = (m.result(len), m.x(a), m.x(b));
                let scratch = m.scratch(spec.scratch_of(pass, algorithm));
                step.convolve_by(algorithm);
                let inputs = [(out, [true]), (m.x(1), [false])];
                let then = Operands { outputs: [out], inputs, dims: [len], constants: [] };
                step.conv2d_map::<AddBias, 2, 1, 0, 1>(pass, out, [a, b], scratch, spec, then);
            });
        }
    }
}

/// Values for which minimal filtering takes plain sums: one is an infinity.
#[test]
fn an_image_that_is_not_finite() {
    let spec = Conv2dSpec { padding: [1, 1], ..Conv2dSpec::new(1, [2, 3], [9, 9], [3, 3]) };
    for pass in [Pass::Forward, Pass::InputGrad] {
        let [out, a, b] = lens(&spec, pass);
        let scratch = spec.scratch_of(pass, Algorithm::Winograd);
        check_all("not finite", out + a + scratch + 200, false, |m, step| {
            let (out, image, from, w) = (m.result(out), m.scratch(a), m.x(a), m.x(b));
            step.copy(image, from);
            step.fill(image.part(a / 2, 1), f32::INFINITY);
            let scratch = m.scratch(scratch);
            step.convolve_by(Algorithm::Winograd);
            step.conv2d(pass, out, [image, w], scratch, spec);
        });
    }
}

room!(Pools, 1 << 11, |k, m| {
    let spec = Pool2dSpec {
        planes: 3,
        height: 5,
        width: 7,
        kernel: [2, 2],
        stride: [2, 2],
        padding: [0, 0],
        dilation: [1, 1],
    };
    let others = [
        spec,
        Pool2dSpec { height: 4, width: 37, planes: 1, ..spec },
        Pool2dSpec { kernel: [3, 2], stride: [1, 2], padding: [1, 1], ..spec },
        Pool2dSpec { kernel: [2, 3], dilation: [2, 1], padding: [1, 0], ..spec },
    ];
    for spec in others {
        let (x, d_y) = (m.x(spec.input_len()), m.x(spec.output_len()));
        let (y, index) = (m.result(spec.output_len()), m.scratch(spec.output_len()));
        let d_x = m.result(spec.input_len());
        k.max_pool2d(y, None, x, spec);
        k.max_pool2d(y, Some(index), x, spec);
        k.max_pool2d_grad(d_x, d_y, index, spec);
        if spec.dilation == [1, 1] {
            let (y, d_x) = (m.result(spec.output_len()), m.result(spec.input_len()));
            k.avg_pool2d(y, x, spec);
            k.avg_pool2d_grad(d_x, d_y, spec);
        }
    }
});

room!(Enlarged, 1 << 12, |k, m| {
    use InterpolateMode::{Bilinear, BilinearCorners, Nearest};
    for mode in [Nearest, Bilinear, BilinearCorners] {
        for scale in [[2, 2], [1, 3], [3, 4], [1, 1]] {
            let spec = InterpolateSpec { planes: 2, height: 3, width: 5, scale, mode };
            let (x, d_y) = (m.x(spec.input_len()), m.x(spec.output_len()));
            let (y, d_x) = (m.result(spec.output_len()), m.result(spec.input_len()));
            k.interpolate(y, x, spec);
            k.interpolate_grad(d_x, d_y, spec);
        }
    }
});

#[test]
fn pools() {
    check::<Pools>();
}

#[test]
fn enlarged() {
    check::<Enlarged>();
}
