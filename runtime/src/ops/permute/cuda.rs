//! Permuted axes on a GPU: copies of rows where the last axis stays the last, tiles of transposes
//! where another one becomes it, else element by element.

use super::{Permute, strides};
use crate::device::{Arg, Buf, CudaKernels, Grid, Text, at_once, place};
use crate::ops::fill::Fill;

const TEXT: Text = Text { room: "permute", text: include_str!("kernels.cu") };

/// Rows and columns of a tile of a transpose.
const TILE: usize = 32;

/// An axis of `y`.
#[derive(Clone, Copy)]
struct Axis {
    size: usize,
    /// How far apart neighbours are.
    in_x: usize,
    in_y: usize,
}

/// The axes of `y`, the outermost first; those that stay neighbours are one.
fn merged<const R: usize>(dims: [usize; R], axes: [usize; R]) -> Vec<Axis> {
    let in_x = strides(dims);
    let in_y = strides(axes.map(|axis| dims[axis]));
    let mut merged: Vec<Axis> = Vec::new();
    for (axis, in_y) in axes.into_iter().zip(in_y).filter(|(axis, _)| dims[*axis] != 1) {
        let new = Axis { size: dims[axis], in_x: in_x[axis], in_y };
        match merged.last_mut() {
            Some(last) if last.in_x == new.size * new.in_x => {
                *last = Axis { size: last.size * new.size, ..new };
            }
            _ => merged.push(new),
        }
    }
    merged
}

/// The place of element `name` of these axes, in `x` or in `y`.
fn place_of(name: &str, axes: &[Axis], distance: impl Fn(&Axis) -> usize) -> String {
    place(name, &axes.iter().map(|axis| (axis.size, distance(axis))).collect::<Vec<_>>())
}

impl CudaKernels {
    /// `y [batch, cols, rows]` from `x [batch, rows, cols]`.
    pub(crate) fn transpose(&mut self, y: Arg, x: Arg, [batch, rows, cols]: [usize; 3]) {
        let in_batch = Axis { size: batch, in_x: rows * cols, in_y: rows * cols };
        let of_cols = Axis { size: cols, in_x: 1, in_y: rows };
        let of_rows = Axis { size: rows, in_x: cols, in_y: 1 };
        self.by_tiles([y, x], &[in_batch], of_rows, of_cols);
    }

    /// `row` is the last axis of `y`, `col` that of `x`.
    fn by_tiles(&mut self, [y, x]: [Arg; 2], others: &[Axis], row: Axis, col: Axis) {
        let kernel = TEXT.kernel("transpose").with("ROWS", row.size).with("COLS", col.size);
        let kernel = kernel.with("ROW_IN_X", row.in_x).with("COL_IN_Y", col.in_y);
        let kernel = kernel.with("IN_X", place_of("i", others, |axis| axis.in_x));
        let kernel = kernel.with("IN_Y", place_of("i", others, |axis| axis.in_y));
        let matrices: usize = others.iter().map(|axis| axis.size).product();
        let tiles = row.size.div_ceil(TILE) * col.size.div_ceil(TILE);
        self.launch(kernel, Grid::rows(matrices * tiles), &[("y", y), ("x", x)]);
    }
}

impl Permute for CudaKernels {
    fn permute<const R: usize>(&mut self, y: Buf, x: Buf, dims: [usize; R], axes: [usize; R]) {
        let mut merged = merged(dims, axes);
        let Some(&last) = merged.last().filter(|_| merged.len() > 1) else {
            return self.copy(y, x);
        };
        let is_long = |axis: &Axis| axis.size >= TILE / 4;
        let last_of_x = merged.iter().position(|axis| axis.in_x == 1 && is_long(axis));
        if let Some(at) = last_of_x.filter(|_| last.in_x != 1 && is_long(&last)) {
            let (col, row) = (merged.remove(at), last);
            merged.pop();
            return self.by_tiles([y.into(), x.into()], &merged, row, col);
        }
        let width = if last.in_x == 1 { at_once(&[y.into(), x.into()], &[last.size]) } else { 1 };
        let kernel = TEXT.kernel("permute").with("WIDTH", width);
        let kernel = kernel.with("PLACE", place_of("i", &merged, |axis| axis.in_x));
        let args = [("y", y.into()), ("x", x.into()), ("count", y.len.into())];
        self.launch(kernel, Grid::each(y.len / width), &args);
    }
}
