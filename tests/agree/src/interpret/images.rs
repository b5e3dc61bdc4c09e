//! Convolutions, pools and interpolation.

use gradiron::ops::conv2d::{Conv2dSpec, reference as conv};
use gradiron::ops::interpolate::{InterpolateMode, InterpolateSpec, reference as scaling};
use gradiron::ops::pool2d::{Pool2dSpec, reference as pooling};
use gradiron_compiler::ops::conv2d::{Conv2d, Pass, Prepare, Ready, Window};
use gradiron_compiler::ops::interpolate::{Interpolate, Mode};
use gradiron_compiler::ops::pool2d::{Pool, Pool2d};

use super::{Cx, Known, Reference, known};
use crate::array::Array;

pub const OPS: &[Known] =
    &[known::<Conv2d>, known::<Prepare>, known::<Ready>, known::<Pool2d>, known::<Interpolate>];

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
        };
        let (a, b) = (&inputs[0].data, &inputs[1].data);
        let mut made = Array::zeros(match self.pass {
            Pass::Forward => vec![x[0], w[0], spec.out_height(), spec.out_width()],
            Pass::InputGrad => x,
            Pass::WeightGrad => w,
        });
        match self.pass {
            Pass::Forward => conv::conv2d(&mut made.data, a, b, spec),
            Pass::InputGrad => conv::conv2d_input_grad(&mut made.data, a, b, spec),
            Pass::WeightGrad => conv::conv2d_weight_grad(&mut made.data, a, b, spec),
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

impl Reference for Pool2d {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let [kernel, stride, padding, dilation] = window(cx, &self.window);
        let x = cx.scope.sizes_of(&self.x);
        let (planes, height, width) = (x[0] * x[1], x[2], x[3]);
        let spec = Pool2dSpec { planes, height, width, kernel, stride, padding, dilation };
        let y = [x[0], x[1], spec.out_height(), spec.out_width()];
        let given = &inputs[0].data;
        match self.pool {
            Pool::Max => {
                let mut made = Array::zeros(y);
                let mut places = vec![0; made.data.len()];
                pooling::max_pool2d(&mut made.data, &mut places, given, spec);
                let places = places.into_iter().map(f64::from).collect();
                vec![made, Array::new(y, places)]
            }
            Pool::MaxGrad => {
                let mut made = Array::zeros(x);
                pooling::max_pool2d_grad(&mut made.data, given, &inputs[1].indices(), spec);
                vec![made]
            }
            Pool::Avg => {
                let mut made = Array::zeros(y);
                pooling::avg_pool2d(&mut made.data, given, spec);
                vec![made]
            }
            Pool::AvgGrad => {
                let mut made = Array::zeros(x);
                pooling::avg_pool2d_grad(&mut made.data, given, spec);
                vec![made]
            }
        }
    }
}

impl Reference for Interpolate {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let x = cx.scope.sizes_of(&self.x);
        let scale = [0, 1].map(|axis| cx.scope.size(&self.scale[axis]));
        let mode = match self.mode {
            Mode::Nearest => InterpolateMode::Nearest,
            Mode::Bilinear => InterpolateMode::Bilinear,
            Mode::BilinearCorners => InterpolateMode::BilinearCorners,
        };
        let spec = InterpolateSpec { planes: x[0] * x[1], height: x[2], width: x[3], scale, mode };
        let y = vec![x[0], x[1], spec.out_height(), spec.out_width()];
        let mut made = Array::zeros(if self.grad { x } else { y });
        match self.grad {
            false => scaling::interpolate(&mut made.data, &inputs[0].data, spec),
            true => scaling::interpolate_grad(&mut made.data, &inputs[0].data, spec),
        }
        vec![made]
    }
}
