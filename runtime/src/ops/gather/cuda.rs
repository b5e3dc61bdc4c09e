//! Elements chosen along an axis, on a GPU.

use super::{Gather, GatherSpec};
use crate::device::{Buf, CudaKernel, CudaKernels, Grid, Indices, Text};

const TEXT: Text = Text { room: "gather", text: include_str!("kernels.cu") };

fn kernel(function: &'static str, spec: GatherSpec) -> CudaKernel {
    let GatherSpec { size, count, inner, .. } = spec;
    TEXT.kernel(function).with("SIZE", size).with("COUNT", count).with("INNER", inner)
}

impl Gather for CudaKernels {
    fn gather(&mut self, y: Buf, x: Buf, index: Indices, spec: GatherSpec) {
        let count = spec.outer * spec.count * spec.inner;
        let args =
            [("y", y.into()), ("x", x.into()), ("index", index.into()), ("count", count.into())];
        self.launch(kernel("gather", spec), Grid::each(count), &args);
    }

    fn gather_grad(&mut self, d_x: Buf, d_y: Buf, index: Indices, spec: GatherSpec) {
        let count = spec.outer * spec.size * spec.inner;
        let args = [
            ("d_x", d_x.into()),
            ("d_y", d_y.into()),
            ("index", index.into()),
            ("count", count.into()),
        ];
        self.launch(kernel("gather_grad", spec), Grid::each(count), &args);
    }
}
