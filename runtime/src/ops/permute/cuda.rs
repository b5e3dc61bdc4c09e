//! Permuted axes on a GPU: a transpose of matrices where it is one, else element by element.

use super::{Permute, strides};
use crate::device::{Arg, Buf, CudaStep, Grid, Text, place};

const TEXT: Text = Text { room: "permute", text: include_str!("kernels.cu") };

/// Rows and columns of a tile of a transpose.
const TILE: usize = 32;

impl CudaStep {
    /// `y [batch, cols, rows]` from `x [batch, rows, cols]`.
    pub(crate) fn transpose(&mut self, y: Arg, x: Arg, [batch, rows, cols]: [usize; 3]) {
        let kernel = TEXT.kernel("transpose").with("ROWS", rows).with("COLS", cols);
        let tiles = rows.div_ceil(TILE) * cols.div_ceil(TILE);
        self.launch(kernel, Grid::rows(batch * tiles), &[("y", y), ("x", x)]);
    }
}

impl Permute for CudaStep {
    fn permute<const R: usize>(&mut self, y: Buf, x: Buf, dims: [usize; R], axes: [usize; R]) {
        let strides = strides(dims);
        // The axes of `y`, sizes and distances in `x`; those that stay neighbours are one.
        let mut merged: Vec<(usize, usize)> = Vec::new();
        for axis in axes.into_iter().filter(|axis| dims[*axis] != 1) {
            let (size, distance) = (dims[axis], strides[axis]);
            match merged.last_mut() {
                Some(last) if last.1 == size * distance => *last = (last.0 * size, distance),
                _ => merged.push((size, distance)),
            }
        }
        let matrices = match merged[..] {
            [(cols, 1), (rows, distance)] if distance == cols => Some((1, rows, cols)),
            [(batch, _), (cols, 1), (rows, distance)] if distance == cols => {
                Some((batch, rows, cols))
            }
            _ => None,
        };
        let args = [("y", y.into()), ("x", x.into())];
        match matrices {
            Some((batch, rows, cols)) if rows >= TILE / 4 && cols >= TILE / 4 => {
                let kernel = TEXT.kernel("transpose").with("ROWS", rows).with("COLS", cols);
                let tiles = rows.div_ceil(TILE) * cols.div_ceil(TILE);
                self.launch(kernel, Grid::rows(batch * tiles), &args);
            }
            _ => {
                let kernel = TEXT.kernel("permute").with("PLACE", place("i", &merged));
                let args = [args[0], args[1], ("count", y.len.into())];
                self.launch(kernel, Grid::each(y.len), &args);
            }
        }
    }
}
