//! Running sums on a GPU.

use super::{Cumsum, CumsumSpec};
use crate::device::{Buf, CudaKernels, Grid, Text, lanes};

const TEXT: Text = Text { room: "cumsum", text: include_str!("kernels.cu") };

impl Cumsum for CudaKernels {
    fn cumsum(&mut self, y: Buf, x: Buf, spec: CumsumSpec) {
        let CumsumSpec { outer, size, inner, reverse } = spec;
        let (rows, lanes) = (outer * inner, lanes(size, inner));
        let kernel = TEXT.kernel("cumsum").with("SIZE", size).with("INNER", inner);
        let kernel = kernel.with("REVERSE", u8::from(reverse)).with("LANES", lanes);
        let args = [("y", y.into()), ("x", x.into()), ("rows", rows.into())];
        self.launch(kernel, Grid::teams(rows, lanes), &args);
    }
}
