//! Conversions on a GPU.

use super::Convert;
use crate::device::{Buf, CudaKernels, Grid, Text};

const TEXT: Text = Text { room: "convert", text: include_str!("kernels.cu") };

impl Convert for CudaKernels {
    fn narrow(&mut self, y: Buf, x: Buf) {
        let args = [("y", y.into()), ("x", x.into()), ("count", x.len.into())];
        self.launch(TEXT.kernel("narrow"), Grid::each(x.len + 1), &args);
    }

    fn widen(&mut self, y: Buf, x: Buf) {
        let args = [("y", y.into()), ("x", x.into()), ("count", y.len.into())];
        self.launch(TEXT.kernel("widen"), Grid::each(y.len), &args);
    }
}
