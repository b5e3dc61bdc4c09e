//! A matrix somewhere in memory.

use super::MatmulSpec;
use super::pack::Part;
use crate::ops::{product, sum};

/// A matrix somewhere in memory: its start, the distances between rows and between columns, one of
/// them 1.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub data: &'a [f32],
    pub row: usize,
    pub col: usize,
    /// Empty, or all columns as [`pack_all`](super::pack_all) leaves them.
    pub(super) panels: &'a [f32],
}

impl<'a> View<'a> {
    /// The left operand of a product.
    pub fn of_a(data: &'a [f32], spec: MatmulSpec) -> Self {
        let (row, col) = spec.a_strides();
        Self { data, row, col, panels: &[] }
    }

    /// The right operand of a product.
    pub fn of_b(data: &'a [f32], spec: MatmulSpec) -> Self {
        let (row, col) = spec.b_strides();
        Self { data, row, col, panels: &[] }
    }

    /// The same matrix, with its columns packed too unless `panels` is empty.
    pub fn with_panels(self, panels: &'a [f32]) -> Self {
        Self { panels, ..self }
    }

    /// The part that starts at an element.
    pub(super) fn part(&self, row: usize, col: usize) -> Part {
        let start = row * self.row + col * self.col;
        Part { data: self.data.as_ptr().wrapping_add(start), row: self.row, col: self.col }
    }

    pub(super) fn transposed(self) -> Self {
        Self { row: self.col, col: self.row, ..self }
    }

    /// Panics where the matrix is not as large as its product says.
    pub(super) fn assert_holds(&self, rows: usize, cols: usize) {
        let at = |count: usize, stride| product([count.saturating_sub(1), stride]);
        let last = sum([at(rows, self.row), at(cols, self.col)]);
        assert!(
            self.data.len() > last && (self.row == 1 || self.col == 1),
            "gradiron: an operand is smaller than its product says (a bug)"
        );
    }
}
