//! How threads share rows (`rows.cuh`).

use super::recording::{CudaKernel, Grid, THREADS, Text, width};
use crate::device::Buf;

/// The threads of a row, and what each of them loads at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Team {
    size: usize,
    inner: usize,
    width: usize,
    lanes: usize,
}

/// Elements of rows that a warp shares, at most, and of those that a block of most threads does.
/// Longer ones are read twice: by more threads, so that the rows of all blocks stay in the GPU's
/// cache.
const OF_WARP: usize = 1 << 10;
const OF_BLOCK: usize = 1 << 14;
/// Threads of the largest blocks.
const MOST: usize = 1 << 10;

impl Team {
    /// For rows of `size` elements, `inner` apart, of these ranges.
    pub fn new(size: usize, inner: usize, bufs: &[Buf]) -> Self {
        let width = if inner == 1 { width(size, bufs) } else { 1 };
        let lanes = match size {
            // Neighbouring threads take neighbouring rows.
            _ if inner != 1 => 1,
            _ if size <= OF_WARP => size.div_ceil(width).next_power_of_two().min(32),
            _ if size <= OF_BLOCK => THREADS,
            _ => MOST,
        };
        Self { size, inner, width, lanes }
    }

    /// A kernel of a text that starts with `rows.cuh`.
    pub fn kernel(self, text: Text, function: &'static str) -> CudaKernel {
        let kernel = text.kernel(function).with("SIZE", self.size).with("INNER", self.inner);
        kernel.with("WIDTH", self.width).with("LANES", self.lanes)
    }

    /// A team for each of `rows` rows.
    pub fn grid(self, rows: usize) -> Grid {
        let threads = THREADS.max(self.lanes);
        Grid { blocks: (rows * self.lanes).div_ceil(threads), threads }
    }
}
