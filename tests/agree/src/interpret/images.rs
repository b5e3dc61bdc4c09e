//! Convolutions, pools and interpolation.

use gradiron::ops::conv2d::{Conv2dSpec, reference as conv};
use gradiron::ops::interpolate::{InterpolateMode, InterpolateSpec, reference as scaling};
use gradiron::ops::pool2d::{Pool2dSpec, reference as pooling};
use gradiron_compiler::ops::conv2d::{Conv2d, Direction, Prepare, Ready, Window};
use gradiron_compiler::ops::grad::Grad;
use gradiron_compiler::ops::interpolate::{Interpolate, Mode};
use gradiron_compiler::ops::pool2d::{Pool, Pool2d};

use super::{Cx, Known, Reference, known};
use crate::array::Array;

pub const OPS: &[Known] = &[
    known::<Conv2d>,
    known::<Prepare>,
    known::<Ready>,
    known::<Pool2d>,
    known::<Grad<Pool2d>>,
    known::<Interpolate>,
    known::<Grad<Interpolate>>,
];

/// `kernel`, `stride`, `padding` and `dilation`.
fn window(cx: &Cx, window: &Window) -> [[usize; 2]; 4] {
    let pair = |pair: &[gradiron_compiler::dim::Dim; 2]| [0, 1].map(|at| cx.scope.size(&pair[at]));
    [&window.kernel, &window.stride, &window.padding, &window.dilation].map(pair)
}

impl Reference for Conv2d {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let [kernel, stride, padding, dilation] = window(cx, &self.window);
        let (x, w) = (cx.scope.sizes_of(&self.x), cx.scope.sizes_of(&self.w));
        let spec = Conv2dSpec {
            batch: x[0],
            in_channels: x[1],
            out_channels: w[0],
            height: x[2],
            width: x[3],
            kernel,
            stride,
            padding,
            dilation,
            groups: cx.scope.size(&self.groups),
            any_size: false,
        };
        let (a, b) = (&inputs[0].data, &inputs[1].data);
        let mut made = Array::zeros(match self.direction {
            Direction::Forward => vec![x[0], w[0], spec.out_height(), spec.out_width()],
            Direction::InputGrad => x,
            Direction::WeightGrad => w,
        });
        match self.direction {
            Direction::Forward => conv::conv2d(&mut made.data, a, b, spec),
            Direction::InputGrad => conv::conv2d_input_grad(&mut made.data, a, b, spec),
            Direction::WeightGrad => conv::conv2d_weight_grad(&mut made.data, a, b, spec),
        }
        vec![made]
    }
}

impl Reference for Prepare {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        vec![Array::keeping(inputs)]
    }
}

impl Reference for Ready {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        self.0.run(cx, &[inputs[0].clone(), inputs[2].kept[0].clone()])
    }
}

/// The runtime's spec, and the shape of `y`.
fn pool_spec(cx: &Cx, of: &Pool2d) -> (Pool2dSpec, [usize; 4]) {
    let [kernel, stride, padding, dilation] = window(cx, &of.window);
    let x = cx.scope.sizes_of(&of.x);
    let (planes, height, width) = (x[0] * x[1], x[2], x[3]);
    let spec = Pool2dSpec { planes, height, width, kernel, stride, padding, dilation };
    (spec, [x[0], x[1], spec.out_height(), spec.out_width()])
}

impl Reference for Pool2d {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (spec, dims) = pool_spec(cx, self);
        let (x, mut y) = (&inputs[0].data, Array::zeros(dims));
        match self.pool {
            Pool::Max => {
                let mut places = vec![0; y.data.len()];
                pooling::max_pool2d(&mut y.data, &mut places, x, spec);
                let places = places.into_iter().map(f64::from).collect();
                vec![y, Array::new(dims, places)]
            }
            Pool::Avg => {
                pooling::avg_pool2d(&mut y.data, x, spec);
                vec![y]
            }
        }
    }
}

impl Reference for Grad<Pool2d> {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (spec, _) = pool_spec(cx, &self.op);
        let d_y = &inputs[0].data;
        let mut d_x = Array::zeros(cx.scope.sizes_of(&self.op.x));
        match self.op.pool {
            Pool::Max => {
                pooling::max_pool2d_grad(&mut d_x.data, d_y, &inputs[1].indices(), spec);
            }
            Pool::Avg => pooling::avg_pool2d_grad(&mut d_x.data, d_y, spec),
        }
        vec![d_x]
    }
}

fn scaling_spec(cx: &Cx, of: &Interpolate) -> InterpolateSpec {
    let x = cx.scope.sizes_of(&of.x);
    let scale = [0, 1].map(|axis| cx.scope.size(&of.scale[axis]));
    let mode = match of.mode {
        Mode::Nearest => InterpolateMode::Nearest,
        Mode::Bilinear => InterpolateMode::Bilinear,
        Mode::BilinearCorners => InterpolateMode::BilinearCorners,
    };
    InterpolateSpec { planes: x[0] * x[1], height: x[2], width: x[3], scale, mode }
}

impl Reference for Interpolate {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (x, spec) = (&inputs[0], scaling_spec(cx, self));
        let mut y = Array::zeros([x.dims[0], x.dims[1], spec.out_height(), spec.out_width()]);
        scaling::interpolate(&mut y.data, &x.data, spec);
        vec![y]
    }
}

impl Reference for Grad<Interpolate> {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let mut d_x = Array::zeros(cx.scope.sizes_of(&self.op.x));
        scaling::interpolate_grad(&mut d_x.data, &inputs[0].data, scaling_spec(cx, &self.op));
        vec![d_x]
    }
}
