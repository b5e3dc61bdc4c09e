//! Pooling on a GPU.

use super::{Pool2d, Pool2dSpec};
use crate::device::{Buf, CudaKernel, CudaKernels, Grid, Text};

const TEXT: Text = Text { room: "pool2d", text: include_str!("kernels.cu") };

fn kernel(function: &'static str, spec: &Pool2dSpec) -> CudaKernel {
    let sizes = [
        ("HEIGHT", spec.height),
        ("WIDTH", spec.width),
        ("OUT_HEIGHT", spec.out_height()),
        ("OUT_WIDTH", spec.out_width()),
        ("KERNEL_ROWS", spec.kernel[0]),
        ("KERNEL_COLS", spec.kernel[1]),
        ("STRIDE_ROWS", spec.stride[0]),
        ("STRIDE_COLS", spec.stride[1]),
        ("PADDING_ROWS", spec.padding[0]),
        ("PADDING_COLS", spec.padding[1]),
        ("DILATION_ROWS", spec.dilation[0]),
        ("DILATION_COLS", spec.dilation[1]),
    ];
    let kernel = TEXT.kernel(function);
    sizes.into_iter().fold(kernel, |kernel, (name, size)| kernel.with(name, size))
}

impl Pool2d for CudaKernels {
    fn max_pool2d(&mut self, y: Buf, index: Option<Buf>, x: Buf, spec: Pool2dSpec) {
        let count = spec.output_len();
        let args =
            [("y", y.into()), ("index", index.into()), ("x", x.into()), ("count", count.into())];
        self.launch(kernel("max_pool2d", &spec), Grid::each(count), &args);
    }

    fn max_pool2d_grad(&mut self, d_x: Buf, d_y: Buf, index: Buf, spec: Pool2dSpec) {
        let count = spec.input_len();
        let args = [
            ("d_x", d_x.into()),
            ("d_y", d_y.into()),
            ("index", index.into()),
            ("count", count.into()),
        ];
        self.launch(kernel("max_pool2d_grad", &spec), Grid::each(count), &args);
    }

    fn avg_pool2d(&mut self, y: Buf, x: Buf, spec: Pool2dSpec) {
        let count = spec.output_len();
        let args = [("y", y.into()), ("x", x.into()), ("count", count.into())];
        self.launch(kernel("avg_pool2d", &spec), Grid::each(count), &args);
    }

    fn avg_pool2d_grad(&mut self, d_x: Buf, d_y: Buf, spec: Pool2dSpec) {
        let count = spec.input_len();
        let args = [("d_x", d_x.into()), ("d_y", d_y.into()), ("count", count.into())];
        self.launch(kernel("avg_pool2d_grad", &spec), Grid::each(count), &args);
    }
}
