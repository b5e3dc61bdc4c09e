//! Softmax on a GPU.

use super::{Softmax, SoftmaxSpec};
use crate::device::{Buf, CudaStep, Grid, Text, lanes};

const TEXT: Text = Text { room: "softmax", text: include_str!("kernels.cu") };

impl CudaStep {
    fn softmax_forward(&mut self, function: &'static str, y: Buf, x: Buf, spec: SoftmaxSpec) {
        let SoftmaxSpec { outer, size, inner } = spec;
        let lanes = lanes(size, inner);
        let kernel = TEXT.kernel(function);
        let kernel = kernel.with("SIZE", size).with("INNER", inner).with("LANES", lanes);
        let rows = outer * inner;
        let args = [("y", y.into()), ("x", x.into()), ("rows", rows.into())];
        self.launch(kernel, Grid::teams(rows, lanes), &args);
    }

    fn softmax_backward(&mut self, function: &'static str, bufs: [Buf; 3], spec: SoftmaxSpec) {
        let SoftmaxSpec { outer, size, inner } = spec;
        let lanes = lanes(size, inner);
        let kernel = TEXT.kernel(function);
        let kernel = kernel.with("SIZE", size).with("INNER", inner).with("LANES", lanes);
        let ([d_x, d_y, y], rows) = (bufs, outer * inner);
        let args =
            [("d_x", d_x.into()), ("d_y", d_y.into()), ("y", y.into()), ("rows", rows.into())];
        self.launch(kernel, Grid::teams(rows, lanes), &args);
    }
}

impl Softmax for CudaStep {
    fn softmax(&mut self, y: Buf, x: Buf, spec: SoftmaxSpec) {
        self.softmax_forward("softmax", y, x, spec);
    }

    fn log_softmax(&mut self, y: Buf, x: Buf, spec: SoftmaxSpec) {
        self.softmax_forward("log_softmax", y, x, spec);
    }

    fn softmax_grad(&mut self, d_x: Buf, d_y: Buf, y: Buf, spec: SoftmaxSpec) {
        self.softmax_backward("softmax_grad", [d_x, d_y, y], spec);
    }

    fn log_softmax_grad(&mut self, d_x: Buf, d_y: Buf, y: Buf, spec: SoftmaxSpec) {
        self.softmax_backward("log_softmax_grad", [d_x, d_y, y], spec);
    }
}
