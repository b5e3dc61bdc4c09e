//! Convolution of groups of few channels, whose products would leave tiles idle.

use super::{Call, kernel, parts};
use crate::device::{Arg, CudaKernels, Grid, Text};
use crate::ops::conv2d::{Conv2dSpec, Pass};

const TEXT: Text = Text { room: "conv2d", text: include_str!("../direct.cu") };

/// The channels of a group, of the input and of the output, at most.
const CHANNELS: usize = 4;
/// The sums that a thread holds, at most.
const SUMS: usize = 32;

pub(super) fn suits(spec: &Conv2dSpec) -> bool {
    spec.groups > 1
        && spec.group_in() <= CHANNELS
        && spec.group_out() <= CHANNELS
        && spec.kernel[1] <= SUMS
}

impl CudaKernels {
    /// A sum for each element of the result.
    pub(super) fn convolve_directly(&mut self, call: Call) {
        let Call { pass, y, x, w, spec } = call;
        let name = match pass {
            Pass::Forward => "forward_direct",
            Pass::InputGrad => "input_direct",
            Pass::WeightGrad => return self.weight_directly(call),
        };
        let args = [("y", y.into()), ("x", x.into()), ("w", w.into()), ("count", y.len.into())];
        self.launch(kernel(TEXT, name, &spec), Grid::each(y.len), &args);
    }

    /// A block for each weight, or for all weights of a window, and for each part of its sum.
    fn weight_directly(&mut self, Call { y, x, w, spec, .. }: Call) {
        let [kernel_height, kernel_width] = spec.kernel;
        let lines = if kernel_height * kernel_width <= SUMS { kernel_height } else { 1 };
        let inner = spec.batch * spec.positions();
        let blocks = spec.out_channels * spec.group_in() * (kernel_height / lines);
        let [chunk, splits] = parts(inner, blocks, 1);
        let sums = if splits > 1 { self.scratch([splits * y.len])[0] } else { Arg::Buf(y) };
        let args = [
            ("y", sums),
            ("x", x.into()),
            ("w", w.into()),
            ("inner", inner.into()),
            ("chunk", chunk.into()),
        ];
        let summing = kernel(TEXT, "weight_direct", &spec).with("LINES", lines);
        self.launch(summing, Grid::rows(splits * blocks), &args);
        if splits > 1 {
            self.sum_parts(y, sums, splits, false, &spec);
        }
    }
}
