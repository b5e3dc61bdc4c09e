//! Convolution on a GPU: an implicit product of matrices for each pass.

use super::{Conv2d, Conv2dSpec, Pass};
use crate::device::{Arg, Buf, CudaKernel, CudaStep, Grid, Text};
use crate::ops::copy::Fill;

const TEXT: Text = Text { room: "conv2d", text: include_str!("kernels.cu") };

/// Blocks that keep a GPU busy.
const BLOCKS: usize = 264;
/// Terms of a part of a sum, at least.
const PART: usize = 256;

/// The sizes of a pass as a product, for each group.
struct Product {
    function: &'static str,
    rows: usize,
    cols: usize,
    inner: usize,
    groups: usize,
}

impl Product {
    fn new(pass: Pass, spec: &Conv2dSpec) -> Self {
        let (groups, taps) = (spec.groups, spec.kernel[0] * spec.kernel[1]);
        let (of_in, of_out) = (spec.group_in(), spec.group_out());
        let (pixels, positions) = (spec.height * spec.width, spec.positions());
        let (function, rows, cols, inner) = match pass {
            Pass::Forward => ("forward", of_out, spec.batch * positions, spec.window()),
            Pass::InputGrad => ("input", of_in, spec.batch * pixels, of_out * taps),
            Pass::WeightGrad => ("weight", of_out, spec.window(), spec.batch * positions),
        };
        Self { function, rows, cols, inner, groups }
    }

    fn tiles(&self, [rows, cols]: [usize; 2]) -> [usize; 2] {
        [self.rows.div_ceil(16 * rows), self.cols.div_ceil(16 * cols)]
    }

    /// Rows and columns of a thread: the most that leave no thread idle and keep the GPU busy.
    fn tile(&self) -> [usize; 2] {
        let most = |size: usize| size.div_ceil(16).next_power_of_two().min(8);
        let mut tile = [most(self.rows), most(self.cols)];
        while tile != [1, 1] && self.groups * self.tiles(tile).iter().product::<usize>() < BLOCKS {
            let larger = usize::from(tile[1] >= tile[0]);
            // Small tiles read their factors more often: sums are cut instead.
            if tile[larger] <= 4 {
                break;
            }
            tile[larger] /= 2;
        }
        tile
    }
}

/// The kernel of a pass for the sizes of a model; those of the batch are arguments.
fn kernel(function: &'static str, spec: &Conv2dSpec, rows: usize, tile: [usize; 2]) -> CudaKernel {
    let sizes = [
        ("HEIGHT", spec.height),
        ("WIDTH", spec.width),
        ("OUT_HEIGHT", spec.out_height()),
        ("OUT_WIDTH", spec.out_width()),
        ("KERNEL_HEIGHT", spec.kernel[0]),
        ("KERNEL_WIDTH", spec.kernel[1]),
        ("STRIDE_ROWS", spec.stride[0]),
        ("STRIDE_COLS", spec.stride[1]),
        ("PADDING_ROWS", spec.padding[0]),
        ("PADDING_COLS", spec.padding[1]),
        ("DILATION_ROWS", spec.dilation[0]),
        ("DILATION_COLS", spec.dilation[1]),
        ("GROUPS", spec.groups),
        ("GROUP_IN", spec.group_in()),
        ("GROUP_OUT", spec.group_out()),
        ("ROWS", rows),
        ("TM", tile[0]),
        ("TN", tile[1]),
    ];
    let kernel = TEXT.kernel(function);
    sizes.into_iter().fold(kernel, |kernel, (name, size)| kernel.with(name, size))
}

impl Conv2d for CudaStep {
    fn conv2d(&mut self, pass: Pass, out: Buf, of: [Buf; 2], _scratch: Buf, spec: Conv2dSpec) {
        let product = Product::new(pass, &spec);
        let Product { function, rows, cols, inner, groups } = product;
        if rows * cols * groups == 0 {
            return;
        }
        if inner == 0 {
            return self.fill(out, 0.0);
        }
        // Tensor cores take tiles of 64 × 64, and are worth it where most of them are full.
        let mma = self.factors().are_halves() && rows >= 32 && inner >= 16;
        let tile = if mma { [4, 4] } else { product.tile() };
        let [down, across] = product.tiles(tile);
        // What is summed over the batch is cut into parts that are summed in their order.
        let blocks = groups * down * across;
        let most = inner.div_ceil(PART).min(BLOCKS.div_ceil(blocks));
        let chunk = if pass == Pass::WeightGrad { inner.div_ceil(most.max(1)) } else { inner };
        let splits = inner.div_ceil(chunk);
        // What windows read, and what it meets.
        let [x, w] = if pass == Pass::WeightGrad { [of[1], of[0]] } else { of };
        let parts = if splits > 1 { self.scratch([splits * out.len])[0] } else { Arg::Buf(out) };
        let args = [
            ("y", parts),
            ("x", x.into()),
            ("w", w.into()),
            ("cols", cols.into()),
            ("inner", inner.into()),
            ("chunk", chunk.into()),
            ("blocks", across.into()),
        ];
        let kernel_of_pass = kernel(function, &spec, rows, tile).with("MMA", u8::from(mma));
        self.launch(kernel_of_pass, Grid::rows(splits * blocks), &args);
        if splits > 1 {
            let args = [
                ("y", out.into()),
                ("parts", parts),
                ("splits", splits.into()),
                ("count", out.len.into()),
                ("x", Arg::Null),
            ];
            self.launch(kernel("sum_parts", &spec, rows, tile), Grid::each(out.len), &args);
        }
    }
}
