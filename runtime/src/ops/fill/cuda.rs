//! Copies, sums and constants on a GPU.

use super::Fill;
use crate::device::{Arg, Buf, CudaKernels, Grid, Text, at_once};

const TEXT: Text = Text { room: "fill", text: include_str!("kernels.cu") };

impl CudaKernels {
    /// `y = x`, rounded or widened where their elements differ.
    pub(crate) fn copy_as(&mut self, y: Arg, x: Arg, count: usize) {
        self.over("copy", [("y", y), ("x", x)], count);
    }

    /// Launches a kernel over `count` elements, some a thread.
    fn over(&mut self, function: &'static str, args: [(&str, Arg); 2], count: usize) {
        let width = at_once(&args.map(|(_, arg)| arg), &[]);
        let kernel = TEXT.kernel(function).with("WIDTH", width);
        let args = [args[0], args[1], ("count", count.into())];
        self.launch(kernel, Grid::each(count.div_ceil(width)), &args);
    }
}

impl Fill for CudaKernels {
    fn copy(&mut self, y: Buf, x: Buf) {
        self.copy_as(y.into(), x.into(), y.len);
    }

    fn accumulate(&mut self, y: Buf, x: Buf) {
        self.over("accumulate", [("y", y.into()), ("x", x.into())], y.len);
    }

    fn fill(&mut self, y: Buf, value: f32) {
        self.over("fill", [("y", y.into()), ("value", value.into())], y.len);
    }
}
