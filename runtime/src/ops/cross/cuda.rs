//! Cross products on a GPU: a thread computes a vector.

use super::{Cross, CrossSpec};
use crate::device::{Buf, CudaKernels, Grid, Text};

const TEXT: Text = Text { room: "cross", text: include_str!("kernels.cu") };

impl Cross for CudaKernels {
    fn cross(&mut self, y: Buf, a: Buf, b: Buf, spec: CrossSpec) {
        let count = spec.outer * spec.inner;
        let args = [("y", y.into()), ("a", a.into()), ("b", b.into()), ("count", count.into())];
        self.launch(TEXT.kernel("cross").with("INNER", spec.inner), Grid::each(count), &args);
    }
}
