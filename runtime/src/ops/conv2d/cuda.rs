//! Convolution on a GPU: an implicit product of matrices for each pass, of floats or on tensor
//! cores, or where groups have few channels a sum for each element of the result.

#[cfg(feature = "cudnn")]
mod cudnn;
mod direct;
mod mma;

use super::{Conv2d, Conv2dSpec, Pass};
use crate::device::{Arg, Buf, CudaKernel, CudaKernels, Grid, Text};
use crate::ops::fill::Fill;

const TEXT: Text = Text { room: "conv2d", text: include_str!("kernels.cu") };

/// Blocks that keep a GPU busy.
const BLOCKS: usize = 264;
/// Terms of a part of a sum, at least.
const PART: usize = 256;

/// The sizes of a pass as a product, for each group.
#[derive(Clone, Copy)]
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

/// A call: its pass, the result, what windows read or the gradient that takes its place, and what
/// that meets.
#[derive(Clone, Copy)]
struct Call {
    pass: Pass,
    y: Buf,
    x: Buf,
    w: Buf,
    spec: Conv2dSpec,
}

/// A kernel for the sizes of a model; those of the batch are arguments.
fn kernel(text: Text, function: &'static str, spec: &Conv2dSpec) -> CudaKernel {
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
    ];
    sizes.into_iter().fold(text.kernel(function), |kernel, (name, size)| kernel.with(name, size))
}

/// How a sum over `inner` terms is cut so that about [`BLOCKS`] blocks run: terms of a part, a
/// multiple of `unit`, and parts.
fn parts(inner: usize, blocks: usize, unit: usize) -> [usize; 2] {
    let most = inner.div_ceil(PART).min(BLOCKS.div_ceil(blocks)).max(1);
    let chunk = inner.div_ceil(most).next_multiple_of(unit);
    [chunk, inner.div_ceil(chunk)]
}

impl CudaKernels {
    /// The sum of `splits` parts in their order, each as long as `y`; `by_taps` with the taps of
    /// its weights before the channels.
    fn sum_parts(&mut self, y: Buf, parts: Arg, splits: usize, by_taps: bool, spec: &Conv2dSpec) {
        let args = [
            ("y", y.into()),
            ("parts", parts),
            ("splits", splits.into()),
            ("count", y.len.into()),
            ("x", Arg::Null),
        ];
        let taps = spec.kernel[0] * spec.kernel[1];
        let [channels, taps] = if by_taps { [spec.group_in(), taps] } else { [1, 1] };
        let kernel = TEXT.kernel("sum_parts").with("CHANNELS", channels).with("TAPS", taps);
        self.launch(kernel, Grid::each(y.len), &args);
    }

    /// A pass by the kernels of this room.
    fn convolve(&mut self, product: Product, call: Call) {
        if direct::suits(&call.spec) {
            self.convolve_directly(call);
        } else if mma::suits(self.factors(), &product) {
            self.multiply_on_tensor_cores(product, call);
        } else {
            self.product_of_floats(product, call);
        }
    }

    /// A product of floats.
    fn product_of_floats(&mut self, product: Product, call: Call) {
        let Product { function, rows, cols, inner, groups } = product;
        let Call { pass, y, x, w, spec } = call;
        let tile = product.tile();
        let [down, across] = product.tiles(tile);
        // What is summed over the batch is cut into parts that are summed in their order.
        let blocks = groups * down * across;
        let [chunk, splits] =
            if pass == Pass::WeightGrad { parts(inner, blocks, 1) } else { [inner, 1] };
        let sums = if splits > 1 { self.scratch([splits * y.len])[0] } else { Arg::Buf(y) };
        let args = [
            ("y", sums),
            ("x", x.into()),
            ("w", w.into()),
            ("cols", cols.into()),
            ("inner", inner.into()),
            ("chunk", chunk.into()),
            ("blocks", across.into()),
        ];
        let kernel = kernel(TEXT, function, &spec).with("ROWS", rows);
        let kernel = kernel.with("TM", tile[0]).with("TN", tile[1]);
        self.launch(kernel, Grid::rows(splits * blocks), &args);
        if splits > 1 {
            self.sum_parts(y, sums, splits, false, &spec);
        }
    }
}

impl Conv2d for CudaKernels {
    fn conv2d(&mut self, pass: Pass, out: Buf, of: [Buf; 2], _scratch: Buf, spec: Conv2dSpec) {
        let product = Product::new(pass, &spec);
        if product.rows * product.cols * product.groups == 0 {
            return;
        }
        if product.inner == 0 {
            return self.fill(out, 0.0);
        }
        let [x, w] = if pass == Pass::WeightGrad { [of[1], of[0]] } else { of };
        let call = Call { pass, y: out, x, w, spec };
        #[cfg(feature = "cudnn")]
        self.convolve_by_cudnn(pass, out, of, spec, |step| step.convolve(product, call));
        #[cfg(not(feature = "cudnn"))]
        self.convolve(product, call);
    }
}
