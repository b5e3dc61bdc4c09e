//! Concatenation on a GPU.

use super::{Cat, CatSpec};
use crate::device::{Arg, Buf, CudaKernels, Grid, Text, at_once};

const TEXT: Text = Text { room: "cat", text: include_str!("kernels.cu") };

impl CudaKernels {
    /// Launches a kernel over the elements of an operand, some a thread.
    fn over_operand(
        &mut self,
        function: &'static str,
        [to, from]: [(&str, Buf); 2],
        spec: CatSpec,
    ) {
        let CatSpec { outer, start, len, total } = spec;
        let width = at_once(&[to.1.into(), from.1.into()], &[start, len, total]);
        let count = outer * len;
        let args = [(to.0, to.1.into()), (from.0, from.1.into()), ("count", Arg::from(count))];
        let kernel = TEXT.kernel(function).with("START", start).with("LEN", len);
        let kernel = kernel.with("TOTAL", total).with("WIDTH", width);
        self.launch(kernel, Grid::each(count / width), &args);
    }
}

impl Cat for CudaKernels {
    fn cat(&mut self, y: Buf, x: Buf, spec: CatSpec) {
        self.over_operand("cat", [("y", y), ("x", x)], spec);
    }

    fn cat_grad(&mut self, d_x: Buf, d_y: Buf, spec: CatSpec) {
        self.over_operand("cat_grad", [("d_x", d_x), ("d_y", d_y)], spec);
    }
}
