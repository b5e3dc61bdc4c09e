//! Concatenation on a GPU.

use super::{Cat, CatSpec};
use crate::device::{Buf, CudaKernel, CudaStep, Grid, Text};

const TEXT: Text = Text { room: "cat", text: include_str!("kernels.cu") };

fn kernel(function: &'static str, spec: CatSpec) -> CudaKernel {
    let CatSpec { start, len, total, .. } = spec;
    TEXT.kernel(function).with("START", start).with("LEN", len).with("TOTAL", total)
}

impl Cat for CudaStep {
    fn cat(&mut self, y: Buf, x: Buf, spec: CatSpec) {
        let count = spec.outer * spec.len;
        let args = [("y", y.into()), ("x", x.into()), ("count", count.into())];
        self.launch(kernel("cat", spec), Grid::each(count), &args);
    }

    fn cat_grad(&mut self, d_x: Buf, d_y: Buf, spec: CatSpec) {
        let count = spec.outer * spec.len;
        let args = [("d_x", d_x.into()), ("d_y", d_y.into()), ("count", count.into())];
        self.launch(kernel("cat_grad", spec), Grid::each(count), &args);
    }
}
