//! Interpolation on a GPU.

use super::{Interpolate, InterpolateMode, InterpolateSpec};
use crate::device::{Buf, CudaKernel, CudaKernels, Grid, Text};

const TEXT: Text = Text { room: "interpolate", text: include_str!("kernels.cu") };

fn kernel(function: &'static str, spec: &InterpolateSpec) -> CudaKernel {
    let mode = match spec.mode {
        InterpolateMode::Nearest => 0,
        InterpolateMode::Bilinear => 1,
        InterpolateMode::BilinearCorners => 2,
    };
    let kernel = TEXT.kernel(function).with("HEIGHT", spec.height).with("WIDTH", spec.width);
    let kernel = kernel.with("SCALE_ROWS", spec.scale[0]).with("SCALE_COLS", spec.scale[1]);
    kernel.with("MODE", mode)
}

impl Interpolate for CudaKernels {
    fn interpolate(&mut self, y: Buf, x: Buf, spec: InterpolateSpec) {
        let count = spec.output_len();
        let args = [("y", y.into()), ("x", x.into()), ("count", count.into())];
        self.launch(kernel("interpolate", &spec), Grid::each(count), &args);
    }

    fn interpolate_grad(&mut self, d_x: Buf, d_y: Buf, spec: InterpolateSpec) {
        let count = spec.input_len();
        let args = [("d_x", d_x.into()), ("d_y", d_y.into()), ("count", count.into())];
        self.launch(kernel("interpolate_grad", &spec), Grid::each(count), &args);
    }
}
