//! Permutations on the CPU: axes that stay neighbours are merged, then rows are copied where the
//! last axis stays last, and square blocks are transposed where it does not.

use super::{Permute, strides};
use crate::device::{Buf, CpuKernels};
use crate::ops::{check_len, product};

/// Floats that one thread moves at a time, at least.
const CHUNK: usize = 1 << 14;
/// The side of a transposed block.
const SIDE: usize = 16;

/// The axes of `y`, merged: sizes, and the distances of neighbours in `x`.
#[derive(Clone, Copy)]
struct Axes<const R: usize> {
    rank: usize,
    size: [usize; R],
    step: [usize; R],
}

fn merge<const R: usize>(dims: [usize; R], axes: [usize; R]) -> Axes<R> {
    let x_strides = strides(dims);
    let mut merged = Axes { rank: 0, size: [1; R], step: [1; R] };
    for axis in axes {
        let (size, step) = (dims[axis], x_strides[axis]);
        if size == 1 {
            continue;
        }
        let last = merged.rank.wrapping_sub(1);
        if merged.rank > 0 && merged.step[last] == size * step {
            merged.size[last] *= size;
            merged.step[last] = step;
        } else {
            merged.size[merged.rank] = size;
            merged.step[merged.rank] = step;
            merged.rank += 1;
        }
    }
    merged
}

impl Permute for CpuKernels<'_> {
    fn permute<const R: usize>(&mut self, y: Buf, x: Buf, dims: [usize; R], axes: [usize; R]) {
        let threads = self.threads();
        let ([y], [x]) = self.views([y], [x]);
        check_len("what is permuted", x.len(), product(dims));
        check_len("its permutation", y.len(), x.len());
        let is_permutation = (0..R).all(|axis| axes.contains(&axis));
        assert!(is_permutation, "gradiron: {axes:?} are not the axes of {R} (a bug)");
        if y.is_empty() {
            return;
        }
        let axes = merge(dims, axes);
        if axes.rank == 0 {
            y.copy_from_slice(x);
            return;
        }
        // A chunk is a range of the first axis.
        let inner = y.len() / axes.size[0];
        let each = CHUNK.div_ceil(inner).next_multiple_of(SIDE);
        threads.split(2 * y.len(), y, each * inner, |i, y| {
            let mut axes = axes;
            axes.size[0] = y.len() / inner;
            permute(y, &x[i * each * axes.step[0]..], &axes);
        });
    }
}

fn permute<const R: usize>(y: &mut [f32], x: &[f32], axes: &Axes<R>) {
    let last = axes.rank - 1;
    let (cols, step) = (axes.size[last], axes.step[last]);
    // The axis of `y` along which neighbours in `x` lie.
    let near = axes.step[..axes.rank].iter().position(|&step| step == 1);
    let Some(near) = near.filter(|&near| near != last) else {
        let mut index = [0; R];
        for y in y.chunks_exact_mut(cols) {
            let at = offset(axes, &index[..last]);
            if step == 1 {
                y.copy_from_slice(&x[at..][..cols]);
            } else {
                for (j, y) in y.iter_mut().enumerate() {
                    *y = x[at + j * step];
                }
            }
            advance(&mut index[..last], &axes.size);
        }
        return;
    };
    // Everything but the axes `near` and `last` is walked; these two are transposed in blocks.
    let y_strides = {
        let mut y_strides = [1; R];
        for i in (0..last).rev() {
            y_strides[i] = y_strides[i + 1] * axes.size[i + 1];
        }
        y_strides
    };
    let rows = axes.size[near];
    let mut outer = axes.size;
    outer[near] = 1;
    let mut index = [0; R];
    loop {
        let x_at = offset(axes, &index[..last]);
        let y_at: usize = index[..last].iter().zip(&y_strides).map(|(i, stride)| i * stride).sum();
        let y_row = y_strides[near];
        for col in (0..cols).step_by(SIDE) {
            let width = SIDE.min(cols - col);
            for row in (0..rows).step_by(SIDE) {
                for r in row..rows.min(row + SIDE) {
                    let y = &mut y[y_at + r * y_row + col..][..width];
                    let x = &x[x_at + r + col * step..];
                    for (j, y) in y.iter_mut().enumerate() {
                        *y = x[j * step];
                    }
                }
            }
        }
        if !advance(&mut index[..last], &outer) {
            return;
        }
    }
}

fn offset<const R: usize>(axes: &Axes<R>, index: &[usize]) -> usize {
    index.iter().zip(&axes.step).map(|(i, step)| i * step).sum()
}

/// Steps `index` through all tuples below `sizes`, the last axis fastest; false after the last.
fn advance(index: &mut [usize], sizes: &[usize]) -> bool {
    for (i, size) in index.iter_mut().zip(sizes).rev() {
        *i += 1;
        if *i < *size {
            return true;
        }
        *i = 0;
    }
    false
}
