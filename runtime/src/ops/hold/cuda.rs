//! Selection on a GPU.

use super::Hold;
use crate::device::{Arg, Buf, CudaStep, Grid, Indices, Text};

const TEXT: Text = Text { room: "hold", text: include_str!("kernels.cu") };

impl Hold for CudaStep {
    fn hold(&mut self, y: Buf, new: Buf, old: Buf, length: Indices, t: usize) {
        if length.len == 0 {
            return;
        }
        let args = [
            ("y", y.into()),
            ("new_", new.into()),
            ("old", if old.len > 0 { old.into() } else { Arg::Null }),
            ("length", length.into()),
            ("t", t.into()),
            ("row", (y.len / length.len).into()),
            ("count", y.len.into()),
        ];
        self.launch(TEXT.kernel("hold"), Grid::each(y.len), &args);
    }
}
