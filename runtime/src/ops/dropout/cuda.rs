//! Dropout on a GPU.

use super::{Dropout, DropoutSpec, GROUP};
use crate::device::{Arg, Buf, CudaKernel, CudaKernels, Grid, Text};

const TEXT: Text = Text { room: "dropout", text: include_str!("kernels.cu") };

/// The kernel for as many elements, and its threads: one for each four.
fn kernel(function: &'static str, spec: DropoutSpec, count: usize) -> (CudaKernel, Grid) {
    let kernel = TEXT.kernel(function).with("THRESHOLD", format!("{}ull", spec.threshold()));
    (kernel, Grid::each(count.div_ceil(GROUP) * GROUP / 4))
}

impl Dropout for CudaKernels {
    fn dropout(&mut self, y: Buf, call: Buf, x: Buf, spec: DropoutSpec) {
        let number = self.draw();
        let (kernel, grid) = kernel("dropout", spec, y.len);
        let args = [
            ("y", y.into()),
            ("call", if call.len > 0 { call.into() } else { Arg::Null }),
            ("x", x.into()),
            ("random", Arg::Random),
            ("number", Arg::Size(number)),
            ("scale", spec.scale().into()),
            ("count", y.len.into()),
        ];
        self.launch(kernel, grid, &args);
    }

    fn dropout_grad(&mut self, d_x: Buf, d_y: Buf, call: Buf, spec: DropoutSpec) {
        let (kernel, grid) = kernel("dropout_grad", spec, d_x.len);
        let args = [
            ("y", d_x.into()),
            ("call", call.into()),
            ("x", d_y.into()),
            ("random", Arg::Random),
            ("scale", spec.scale().into()),
            ("count", d_x.len.into()),
        ];
        self.launch(kernel, grid, &args);
    }
}
