//! Selection on a GPU.

use super::{First, Padding};
use crate::device::{Arg, Buf, CudaKernels, Grid, Indices, Text};

const TEXT: Text = Text { room: "padding", text: include_str!("kernels.cu") };

impl Padding for CudaKernels {
    fn advance(&mut self, y: Buf, new: Buf, old: Buf, length: Indices, t: usize) {
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
        self.launch(TEXT.kernel("advance"), Grid::each(y.len), &args);
    }

    fn zero_padding(&mut self, y: Buf, x: Buf, length: Indices, steps: usize) {
        if y.len == 0 {
            return;
        }
        let args = [
            ("y", y.into()),
            ("x", x.into()),
            ("length", length.into()),
            ("steps", steps.into()),
            ("row", (y.len / (length.len * steps)).into()),
            ("count", y.len.into()),
        ];
        self.launch(TEXT.kernel("zero_padding"), Grid::each(y.len), &args);
    }

    fn replay(&mut self, y: Buf, now: Buf, all: Buf, length: Indices, t: usize, first: First) {
        if y.len == 0 {
            return;
        }
        let (form, place) = match first {
            First::At(place) => (0, place),
            First::Last => (1, 0),
            First::Before(place) => (2, place),
        };
        let args = [
            ("y", y.into()),
            ("now", now.into()),
            ("all", all.into()),
            ("length", length.into()),
            ("t", t.into()),
            ("place", place.into()),
            ("row", (y.len / length.len).into()),
            ("batch", length.len.into()),
            ("count", y.len.into()),
        ];
        let kernel = TEXT.kernel("replay").with("FORM", form);
        self.launch(kernel, Grid::each(y.len), &args);
    }
}
