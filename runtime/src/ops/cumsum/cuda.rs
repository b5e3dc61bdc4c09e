//! Running sums on a GPU.

use super::{Cumsum, CumsumSpec};
use crate::device::{Buf, CudaStep, Grid, Text};

const TEXT: Text = Text { room: "cumsum", text: include_str!("kernels.cu") };

impl Cumsum for CudaStep {
    fn cumsum(&mut self, y: Buf, x: Buf, spec: CumsumSpec) {
        let CumsumSpec { outer, size, inner, reverse } = spec;
        let rows = outer * inner;
        let kernel = TEXT.kernel("cumsum").with("SIZE", size).with("INNER", inner);
        let kernel = kernel.with("REVERSE", u8::from(reverse));
        let args = [("y", y.into()), ("x", x.into()), ("rows", rows.into())];
        self.launch(kernel, Grid::each(rows), &args);
    }
}
