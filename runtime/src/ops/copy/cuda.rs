//! Copies, sums and constants on a GPU.

use super::Fill;
use crate::device::{Arg, Buf, CudaStep, Grid, Text};

const TEXT: Text = Text { room: "copy", text: include_str!("kernels.cu") };

impl CudaStep {
    /// `y = x`, rounded or widened where their elements differ.
    pub(crate) fn copy_as(&mut self, y: Arg, x: Arg, count: usize) {
        let args = [("y", y), ("x", x), ("count", count.into())];
        self.launch(TEXT.kernel("copy"), Grid::each(count), &args);
    }
}

impl Fill for CudaStep {
    fn copy(&mut self, y: Buf, x: Buf) {
        self.copy_as(y.into(), x.into(), y.len);
    }

    fn accumulate(&mut self, y: Buf, x: Buf) {
        let args = [("y", y.into()), ("x", x.into()), ("count", y.len.into())];
        self.launch(TEXT.kernel("accumulate"), Grid::each(y.len), &args);
    }

    fn fill(&mut self, y: Buf, value: f32) {
        let args = [("y", y.into()), ("value", value.into()), ("count", y.len.into())];
        self.launch(TEXT.kernel("fill"), Grid::each(y.len), &args);
    }
}
