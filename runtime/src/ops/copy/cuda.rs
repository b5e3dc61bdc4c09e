//! Copies, sums and constants on a GPU.

use super::Fill;
use crate::device::{Buf, CudaStep, Grid, Text};

const TEXT: Text = Text { room: "copy", text: include_str!("kernels.cu") };

impl Fill for CudaStep {
    fn copy(&mut self, y: Buf, x: Buf) {
        let args = [("y", y.into()), ("x", x.into()), ("count", y.len.into())];
        self.launch(TEXT.kernel("copy"), Grid::each(y.len), &args);
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
