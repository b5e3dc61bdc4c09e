//! Planes: convolutions, pooling, interpolation.

use gradiron::ops::conv2d::{Conv2dSpec, Pass};
use gradiron::ops::elementwise::{Elementwise, Operands};
use gradiron::ops::interpolate::{InterpolateMode, InterpolateSpec};
use gradiron::ops::pool2d::Pool2dSpec;

use super::calls;

/// Small convolutions, one of each kind.
pub fn specs() -> [Conv2dSpec; 5] {
    let new = Conv2dSpec::new;
    [
        Conv2dSpec { padding: [1, 1], ..new(2, [2, 3], [5, 6], [3, 3]) },
        Conv2dSpec { stride: [2, 3], padding: [1, 2], ..new(1, [3, 2], [7, 9], [3, 2]) },
        Conv2dSpec { dilation: [2, 1], groups: 2, ..new(2, [4, 6], [6, 5], [2, 3]) },
        new(3, [1, 17], [3, 3], [1, 1]),
        // A window as large as the plane, and padding that it does not leave.
        Conv2dSpec { padding: [2, 2], ..new(1, [1, 1], [2, 2], [3, 3]) },
    ]
}

/// The elements of the result and of the operands.
pub fn lens(spec: &Conv2dSpec, pass: Pass) -> [usize; 3] {
    let [x, w, y] = [spec.input_len(), spec.weight_len(), spec.output_len()];
    match pass {
        Pass::Forward => [y, x, w],
        Pass::InputGrad => [x, y, w],
        Pass::WeightGrad => [w, y, x],
    }
}

pub const PASSES: [Pass; 3] = [Pass::Forward, Pass::InputGrad, Pass::WeightGrad];

calls!(Conv2d, 1 << 15, |k, m| {
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

pub struct AddBias;

impl Elementwise<2, 1, 0> for AddBias {
    const TEXT: &'static str = "t0 = add(x0, x1); t0";
    fn eval<A: gradiron::math::Arith>([x, b]: [f32; 2], []: [f32; 0]) -> [f32; 1] {
        [x + b]
    }
}

calls!(Conv2dChains, 1 << 12, |k, m| {
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

calls!(Pool2d, 1 << 11, |k, m| {
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

calls!(Interpolate, 1 << 12, |k, m| {
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
