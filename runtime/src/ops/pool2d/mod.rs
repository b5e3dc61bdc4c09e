//! Pooling over windows of a plane (`torch.nn.MaxPool2d`, `torch.nn.AvgPool2d`, floor mode):
//! `out = ⌊(in + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1` in each direction.
//!
//! The maximum is the first of equals in row-major order, NaN counts as the greatest, and padding
//! never wins; its gradient goes to the element that won. A window that meets no element has the
//! maximum
//! -∞, as PyTorch's, and no gradient; where sizes are known while a program is compiled, such
//! windows are an error. The average divides by the size of the window, padding (zeros) included,
//! and knows no dilation.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod halve;
pub mod reference;

use crate::device::Buf;
use crate::ops::{kernels, product, sum, windows};

/// The sizes of a pooling; `[rows, columns]` each. `planes` is batch × channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool2dSpec {
    /// Batch × channels.
    pub planes: usize,
    /// Rows of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
    /// The size of a window.
    pub kernel: [usize; 2],
    /// The steps between windows.
    pub stride: [usize; 2],
    /// Places around the input, on each side.
    pub padding: [usize; 2],
    /// The distances of neighbours within a window.
    pub dilation: [usize; 2],
}

/// Windows over `planes` of `[height, width]`, one step apart.
pub const fn spec(planes: usize, [height, width]: [usize; 2], kernel: [usize; 2]) -> Pool2dSpec {
    let (stride, padding, dilation) = ([1, 1], [0, 0], [1, 1]);
    Pool2dSpec { planes, height, width, kernel, stride, padding, dilation }
}

impl Pool2dSpec {
    /// The same with these steps between windows.
    pub const fn stride(mut self, stride: [usize; 2]) -> Self {
        self.stride = stride;
        self
    }

    /// The same with places around the input.
    pub const fn padding(mut self, padding: [usize; 2]) -> Self {
        self.padding = padding;
        self
    }

    /// The same with windows that are spread.
    pub const fn dilation(mut self, dilation: [usize; 2]) -> Self {
        self.dilation = dilation;
        self
    }

    const fn out(&self, size: usize, axis: usize) -> usize {
        let padded = sum([size, product([2, self.padding[axis]])]);
        windows(padded, self.kernel[axis], self.stride[axis], self.dilation[axis])
    }

    /// Rows of the output.
    pub const fn out_height(&self) -> usize {
        self.out(self.height, 0)
    }

    /// Columns of the output.
    pub const fn out_width(&self) -> usize {
        self.out(self.width, 1)
    }

    /// Elements of the input.
    pub const fn input_len(&self) -> usize {
        product([self.planes, self.height, self.width])
    }

    /// Elements of the output.
    pub const fn output_len(&self) -> usize {
        product([self.planes, self.out_height(), self.out_width()])
    }
}

/// The windows along an axis that meet an element, of those that there are; see [`Pool2dSpec`].
pub const fn meeting(
    size: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    dilation: usize,
) -> usize {
    let count = windows(size + 2 * padding, kernel, stride, dilation);
    if dilation <= size && 2 * padding <= kernel {
        return count;
    }
    let (mut met, mut out) = (0, 0);
    while out < count {
        // The first tap that is not before the plane.
        let start = out * stride;
        let skipped = padding.saturating_sub(start).div_ceil(dilation);
        if skipped < kernel && start + skipped * dilation < size + padding {
            met += 1;
        }
        out += 1;
    }
    met
}

kernels! {
    /// The kernels of this room.
    pub trait Pool2d {
        /// `y` the maxima; `index` the places of the maxima in their planes, a `u32` in each float,
        /// the greatest where a window meets no element.
        fn max_pool2d(&mut self, y: Buf, index: Option<Buf>, x: Buf, spec: Pool2dSpec);
        /// The gradient of the input, from the places of the maxima.
        fn max_pool2d_grad(&mut self, d_x: Buf, d_y: Buf, index: Buf, spec: Pool2dSpec);
        /// `y` the averages; `dilation` is 1.
        fn avg_pool2d(&mut self, y: Buf, x: Buf, spec: Pool2dSpec);
        /// The gradient of the input.
        fn avg_pool2d_grad(&mut self, d_x: Buf, d_y: Buf, spec: Pool2dSpec);
    }
}
