//! Rows of a table on a GPU.

use super::{Embedding, EmbeddingSpec};
use crate::device::{Arg, Buf, CudaStep, Grid, Indices, THREADS, Text};

const TEXT: Text = Text { room: "embedding", text: include_str!("kernels.cu") };

/// Columns that a lane of a warp sums.
const PER_LANE: usize = 8;

impl Embedding for CudaStep {
    fn embedding(&mut self, y: Buf, index: Indices, w: Buf, spec: EmbeddingSpec) {
        let count = spec.count * spec.dim;
        let args =
            [("y", y.into()), ("index", index.into()), ("w", w.into()), ("count", count.into())];
        self.launch(TEXT.kernel("embedding").with("DIM", spec.dim), Grid::each(count), &args);
    }

    fn embedding_grad(&mut self, d_w: Buf, d_y: Buf, index: Indices, spec: EmbeddingSpec) {
        let EmbeddingSpec { count, rows, dim, padding } = spec;
        let kernel = TEXT.kernel("embedding_grad").with("DIM", dim);
        let kernel = kernel.with("PER_LANE", PER_LANE.min(dim.div_ceil(32)));
        let no_row = Arg::Size(u32::MAX);
        let args = [
            ("d_w", d_w.into()),
            ("d_y", d_y.into()),
            ("index", index.into()),
            ("count", count.into()),
            ("rows", rows.into()),
            ("padding", padding.map_or(no_row, Arg::from)),
        ];
        let columns = dim.div_ceil(32 * PER_LANE);
        self.launch(kernel, Grid::rows(rows.div_ceil(THREADS / 32) * columns), &args);
    }
}
