//! Copies, sums and constants on a GPU.

use super::Fill;
use crate::device::{Arg, Buf, CudaStep, Grid, Text, at_once};

const TEXT: Text = Text { room: "copy", text: include_str!("kernels.cu") };

impl CudaStep {
    /// Launches a kernel over all of `y`, some elements a thread.
    fn over(&mut self, function: &'static str, y: Buf, x: Option<Buf>, given: (&str, Arg)) {
        let width = at_once(&[y, x.unwrap_or(y)], &[]);
        let args = [("y", y.into()), given, ("count", y.len.into())];
        let kernel = TEXT.kernel(function).with("WIDTH", width);
        self.launch(kernel, Grid::each(y.len.div_ceil(width)), &args);
    }
}

impl Fill for CudaStep {
    fn copy(&mut self, y: Buf, x: Buf) {
        self.over("copy", y, Some(x), ("x", x.into()));
    }

    fn accumulate(&mut self, y: Buf, x: Buf) {
        self.over("accumulate", y, Some(x), ("x", x.into()));
    }

    fn fill(&mut self, y: Buf, value: f32) {
        self.over("fill", y, None, ("value", value.into()));
    }
}
