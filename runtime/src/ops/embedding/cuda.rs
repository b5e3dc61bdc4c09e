//! Rows of a table on a GPU.
//!
//! The gradient adds up, for each row, what belongs to it in the order of positions, without
//! atomics. A warp for each row that looks through all indices reads rows · positions of them, 412
//! million for GPT-2's 50304 rows and 8192 positions. So the table is cleared, and a block for each
//! position looks through the indices before it, the nearest first, and stops at an equal one; if
//! there is none it adds up what belongs to its row from there on. That reads all indices for each
//! row that occurs, and few for the other positions: where there are few rows, an equal index is
//! near.

use super::{Embedding, EmbeddingSpec};
use crate::device::{Arg, Buf, CudaKernels, Grid, Indices, THREADS, Text, at_once};
use crate::ops::fill::Fill;

const TEXT: Text = Text { room: "embedding", text: include_str!("kernels.cu") };

impl Embedding for CudaKernels {
    fn embedding(&mut self, y: Buf, index: Indices, w: Buf, spec: EmbeddingSpec) {
        let (count, width) = (spec.count * spec.dim, at_once(&[y.into(), w.into()], &[spec.dim]));
        let args =
            [("y", y.into()), ("index", index.into()), ("w", w.into()), ("count", count.into())];
        let kernel = TEXT.kernel("embedding").with("DIM", spec.dim).with("WIDTH", width);
        self.launch(kernel, Grid::each(count / width), &args);
    }

    fn embedding_grad(&mut self, d_w: Buf, d_y: Buf, index: Indices, spec: EmbeddingSpec) {
        let EmbeddingSpec { count, dim, padding, .. } = spec;
        self.fill(d_w, 0.0);
        let no_row = Arg::Size(u32::MAX);
        let args = [
            ("d_w", d_w.into()),
            ("d_y", d_y.into()),
            ("index", index.into()),
            ("count", count.into()),
            ("padding", padding.map_or(no_row, Arg::from)),
        ];
        let width = at_once(&[d_w.into(), d_y.into()], &[dim]);
        let kernel = TEXT.kernel("embedding_grad").with("DIM", dim).with("WIDTH", width);
        self.launch(kernel, Grid::rows(count * dim.div_ceil(THREADS * width)), &args);
    }
}
