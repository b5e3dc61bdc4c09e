//! Pooling over windows of a plane (`torch.nn.MaxPool2d`, `torch.nn.AvgPool2d`, floor mode):
//! `out = ⌊(in + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1` in each direction.
//!
//! The maximum is the first of equals in row-major order, NaN counts as the greatest, and padding
//! never wins; its gradient goes to the element that won. The average divides by the size of the
//! window, padding (zeros) included, and knows no dilation.

mod cpu;
pub mod reference;

use crate::device::Buf;

/// The sizes of a pooling; `[rows, columns]` each. `planes` is batch × channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool2dSpec {
    pub planes: usize,
    pub height: usize,
    pub width: usize,
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
}

impl Pool2dSpec {
    const fn out(&self, size: usize, axis: usize) -> usize {
        let reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
        let padded = size + 2 * self.padding[axis];
        if padded < reach { 0 } else { (padded - reach) / self.stride[axis] + 1 }
    }

    pub const fn out_height(&self) -> usize {
        self.out(self.height, 0)
    }

    pub const fn out_width(&self) -> usize {
        self.out(self.width, 1)
    }

    pub const fn input_len(&self) -> usize {
        self.planes * self.height * self.width
    }

    pub const fn output_len(&self) -> usize {
        self.planes * self.out_height() * self.out_width()
    }
}

pub trait Pool2d {
    /// `y` the maxima; `index` the places of the maxima in their planes, a `u32` in each float.
    fn max_pool2d(&mut self, y: Buf, index: Option<Buf>, x: Buf, spec: Pool2dSpec);
    fn max_pool2d_grad(&mut self, d_x: Buf, d_y: Buf, index: Buf, spec: Pool2dSpec);
    /// `y` the averages; `dilation` is 1.
    fn avg_pool2d(&mut self, y: Buf, x: Buf, spec: Pool2dSpec);
    fn avg_pool2d_grad(&mut self, d_x: Buf, d_y: Buf, spec: Pool2dSpec);
}
