//! Places of maxima on a GPU.

use super::{Argmax, check};
use crate::device::{Buf, CudaKernels, Grid, Text, lanes};
use crate::ops::softmax::SoftmaxSpec;

const TEXT: Text = Text { room: "argmax", text: include_str!("kernels.cu") };

impl Argmax for CudaKernels {
    fn argmax(&mut self, y: Buf, x: Buf, spec: SoftmaxSpec) {
        let SoftmaxSpec { outer, size, inner } = spec;
        check(size);
        let (rows, lanes) = (outer * inner, lanes(size, inner).min(32));
        let kernel =
            TEXT.kernel("argmax").with("SIZE", size).with("INNER", inner).with("LANES", lanes);
        let args = [("y", y.into()), ("x", x.into()), ("rows", rows.into())];
        self.launch(kernel, Grid::teams(rows, lanes), &args);
    }
}
