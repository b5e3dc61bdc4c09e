//! Convolution of planes (`torch.nn.Conv2d` without its bias; a cross-correlation):
//!
//! `y[n, o, i, j] = Σ_(c, u, v) w[o, c, u, v] · x[n, g·C/G + c, i·s₀ + u·d₀ − p₀, j·s₁ + v·d₁ − p₁]`
//!
//! with stride `s`, padding `p` (zeros), dilation `d`, `G` groups of channels, and `g` the group of
//! output `o`. The gradients are the transposed linear maps: `d_x` sums `w · d_y`, and `d_w` sums
//! `x · d_y`, over the same index triples. Computed as products with the matrix of windows
//! ("im2col": K. Chellapilla, S. Puri, P. Simard, 2006), a tile of it at a time.

mod cpu;
pub mod reference;
mod windows;

use crate::device::Buf;
use crate::ops::elementwise::{Elementwise, Map, Operands};
use crate::ops::windows;

/// The sizes of a convolution; `[rows, columns]` each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dSpec {
    /// Images.
    pub batch: usize,
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Rows of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
    /// The size of a window.
    pub kernel: [usize; 2],
    /// The steps between windows.
    pub stride: [usize; 2],
    /// Zeros around the input, on each side.
    pub padding: [usize; 2],
    /// The distances of neighbours within a window.
    pub dilation: [usize; 2],
    /// Groups of channels that do not meet.
    pub groups: usize,
}

/// How many tiles of windows there are at a time, which bounds both scratch and threads.
const SLOTS: usize = 16;
/// The floats of a tile of windows, unless one row of windows has more.
const TILE: usize = 1 << 15;
/// The floats of partial weight gradients, unless one has more.
const PARTIAL: usize = 1 << 18;

const fn min(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

impl Conv2dSpec {
    const fn out(&self, size: usize, axis: usize) -> usize {
        let padded = size + 2 * self.padding[axis];
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
        self.batch * self.in_channels * self.height * self.width
    }

    /// Elements of the weight.
    pub const fn weight_len(&self) -> usize {
        self.out_channels * self.window()
    }

    /// Elements of the output.
    pub const fn output_len(&self) -> usize {
        self.batch * self.out_channels * self.positions()
    }

    /// Input channels of a group.
    const fn group_in(&self) -> usize {
        self.in_channels / self.groups
    }

    /// Output channels of a group.
    const fn group_out(&self) -> usize {
        self.out_channels / self.groups
    }

    /// The elements of a window: the terms of each output.
    const fn window(&self) -> usize {
        self.group_in() * self.kernel[0] * self.kernel[1]
    }

    /// The outputs of a plane.
    const fn positions(&self) -> usize {
        self.out_height() * self.out_width()
    }

    /// The windows of a tile in `conv2d` and `conv2d_input_grad`: a multiple of 32.
    const fn tile(&self) -> usize {
        let fit = TILE / max(self.window(), 1) / 32 * 32;
        min(max(fit, 32), max(self.positions(), 1).next_multiple_of(32))
    }

    /// Slots among which `items` are shared out.
    const fn slots(items: usize) -> usize {
        min(SLOTS, max(items, 1))
    }

    /// Tiles of one group of one image.
    const fn image_tiles(&self) -> usize {
        self.positions().div_ceil(self.tile())
    }

    /// The floats of scratch that `conv2d` needs.
    pub const fn forward_scratch(&self) -> usize {
        let slots = Self::slots(self.batch * self.image_tiles());
        self.weight_len() + slots * self.window() * self.tile()
    }

    /// The floats of scratch that `conv2d_input_grad` needs.
    pub const fn input_grad_scratch(&self) -> usize {
        let slots = Self::slots(self.batch * self.groups);
        self.weight_len() + slots * (self.window() + self.group_out()) * self.tile()
    }

    /// Into how many parts the batch is cut for the weight gradient, each with a partial sum.
    const fn weight_parts(&self) -> usize {
        min(max(PARTIAL / max(self.weight_len(), 1), 1), Self::slots(self.batch))
    }

    /// Input channels of a block for the weight gradient, whose windows are formed on their own.
    const fn weight_channels(&self) -> usize {
        max(self.group_in().div_ceil(SLOTS / self.weight_parts()), 1)
    }

    /// Blocks of channels for the weight gradient.
    const fn weight_blocks(&self) -> usize {
        self.group_in().div_ceil(self.weight_channels())
    }

    /// The windows of a tile for the weight gradient: a multiple of 16.
    const fn weight_tile(&self) -> usize {
        let rows = self.weight_rows();
        let fit = min(2 * TILE / max(rows, 1), 1024) / 16 * 16;
        min(max(fit, 16), max(self.batch * self.positions(), 1).next_multiple_of(16))
    }

    /// The rows of a tile for the weight gradient: the windows' and the outputs'.
    const fn weight_rows(&self) -> usize {
        self.weight_channels() * self.kernel[0] * self.kernel[1] + self.group_out()
    }

    /// The floats of scratch that `conv2d_weight_grad` needs.
    pub const fn weight_grad_scratch(&self) -> usize {
        let items = self.weight_parts() * self.weight_blocks();
        self.weight_parts() * self.weight_len() + items * self.weight_rows() * self.weight_tile()
    }
}

/// The kernels of this room.
pub trait Conv2d: Map {
    /// `x [batch, in, height, width]`  `w [out, in / groups, kh, kw]` → `y [batch, out, oh, ow]`
    fn conv2d(&mut self, y: Buf, x: Buf, w: Buf, scratch: Buf, spec: Conv2dSpec);
    /// The gradient of the input.
    fn conv2d_input_grad(&mut self, d_x: Buf, d_y: Buf, w: Buf, scratch: Buf, spec: Conv2dSpec);
    /// The gradient of the weight.
    fn conv2d_weight_grad(&mut self, d_w: Buf, d_y: Buf, x: Buf, scratch: Buf, spec: Conv2dSpec);

    /// `conv2d`, then a chain whose first input is `y`; `y` may be the memory of its first output.
    fn conv2d_map<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
        &mut self,
        y: Buf,
        x: Buf,
        w: Buf,
        scratch: Buf,
        spec: Conv2dSpec,
        then: Operands<IN, OUT, S, R>,
    ) where
        E: Elementwise<IN, OUT, S>,
    {
        self.conv2d(y, x, w, scratch, spec);
        self.map::<E, IN, OUT, S, R>(then.outputs, then.inputs, then.dims, then.constants);
    }

    /// The gradient of the input, then a chain of it, as in `conv2d_map`.
    fn conv2d_input_grad_map<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
        &mut self,
        d_x: Buf,
        d_y: Buf,
        w: Buf,
        scratch: Buf,
        spec: Conv2dSpec,
        then: Operands<IN, OUT, S, R>,
    ) where
        E: Elementwise<IN, OUT, S>,
    {
        self.conv2d_input_grad(d_x, d_y, w, scratch, spec);
        self.map::<E, IN, OUT, S, R>(then.outputs, then.inputs, then.dims, then.constants);
    }
}
