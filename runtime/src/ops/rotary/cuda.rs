//! Rotations on a GPU.

use super::{Rotary, RotarySpec};
use crate::device::{Buf, CudaKernels, Grid, Text};

const TEXT: Text = Text { room: "rotary", text: include_str!("kernels.cu") };

impl Rotary for CudaKernels {
    fn rotary(&mut self, y: Buf, x: Buf, spec: RotarySpec) {
        let RotarySpec { outer, len, inner, dim, past, base, interleaved, inverse } = spec;
        let kernel = TEXT.kernel("rotary").with("DIM", dim).with("INNER", inner);
        let kernel = kernel.with("BASE", base).with("INTERLEAVED", u8::from(interleaved));
        let kernel = kernel.with("INVERSE", u8::from(inverse));
        let count = outer * len * inner * (dim / 2);
        let args = [
            ("y", y.into()),
            ("x", x.into()),
            ("past", past.into()),
            ("len", len.into()),
            ("count", count.into()),
        ];
        self.launch(kernel, Grid::each(count), &args);
    }

    fn sinusoidal(&mut self, y: Buf, len: usize, dim: usize, base: f32) {
        let kernel = TEXT.kernel("sinusoidal").with("DIM", dim).with("BASE", base);
        let args = [("y", y.into()), ("count", (len * dim).into())];
        self.launch(kernel, Grid::each(len * dim), &args);
    }
}
