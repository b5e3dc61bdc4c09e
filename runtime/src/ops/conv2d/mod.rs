//! Convolution of planes (`torch.nn.Conv2d` without its bias; a cross-correlation):
//!
//! `y[n, o, i, j] = Σ_(c, u, v) w[o, c, u, v] · x[n, g·C/G + c, i·s₀ + u·d₀ − p₀, j·s₁ + v·d₁ − p₁]`
//!
//! with stride `s`, padding `p` (zeros), dilation `d`, `G` groups of channels, and `g` the group of
//! output `o`. The gradients are the transposed linear maps: `d_x` sums `w · d_y`, and `d_w` sums
//! `x · d_y`, over the same index triples.
//!
//! A convolution is computed by one of several algorithms, one file each, chosen by its sizes
//! alone; [`Conv2dSpec`] says which, and what scratch memory it needs.

mod cpu;
mod direct;
mod matrix;
mod panels;
mod prepared;
pub mod reference;
mod windows;
mod winograd;

use crate::device::Buf;
use crate::ops::elementwise::{Elementwise, Map, Operands};

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

/// How a pass of a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Sums over windows with an output channel or a position in each lane, for few channels.
    Direct,
    /// As many groups as channels: one filter for each plane.
    Depthwise,
    /// 3×3 windows with stride 1, by minimal filtering on tiles of 4×4 outputs: a quarter of the
    /// multiplications, and rounding errors about seven times those of a plain sum (about 2e-6
    /// of the root mean square). A device may be told to do without
    /// ([`Cpu::with_winograd`](crate::device::Cpu::with_winograd)).
    Winograd,
    /// Products with the matrix of windows.
    Windows,
}

const fn min(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

impl Conv2dSpec {
    const fn out(&self, size: usize, axis: usize) -> usize {
        let padded = size + 2 * self.padding[axis];
        crate::ops::windows(padded, self.kernel[axis], self.stride[axis], self.dilation[axis])
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

    /// The outputs `j` of a row whose tap `v` meets the plane.
    #[inline(always)]
    fn columns(&self, v: usize) -> std::ops::Range<usize> {
        let (stride, padding, tap) = (self.stride[1], self.padding[1], v * self.dilation[1]);
        let out_width = self.out_width();
        let start = padding.saturating_sub(tap).div_ceil(stride).min(out_width);
        let end = (self.width + padding).saturating_sub(tap).div_ceil(stride).min(out_width);
        start..end.max(start)
    }

    /// How `conv2d` is computed.
    pub const fn forward_algorithm(&self) -> Algorithm {
        self.forward_choice(true)
    }

    /// The same, with or without Winograd's algorithm.
    const fn forward_choice(&self, winograd: bool) -> Algorithm {
        if winograd && winograd::applies(self) {
            Algorithm::Winograd
        } else if direct::applies(self) {
            Algorithm::Direct
        } else {
            Algorithm::Windows
        }
    }

    /// How `conv2d_input_grad` is computed.
    pub const fn input_grad_algorithm(&self) -> Algorithm {
        self.input_grad_choice(true)
    }

    /// The same, with or without Winograd's algorithm.
    const fn input_grad_choice(&self, winograd: bool) -> Algorithm {
        if winograd && winograd::applies(self) {
            Algorithm::Winograd
        } else if direct::input_grad_applies(self) {
            Algorithm::Direct
        } else {
            Algorithm::Windows
        }
    }

    /// How `conv2d_weight_grad` is computed.
    pub const fn weight_grad_algorithm(&self) -> Algorithm {
        self.weight_grad_choice(true)
    }

    /// The same, with or without Winograd's algorithm.
    const fn weight_grad_choice(&self, winograd: bool) -> Algorithm {
        if winograd && winograd::applies(self) {
            Algorithm::Winograd
        } else if direct::weight_grad_applies(self) {
            Algorithm::Direct
        } else {
            Algorithm::Windows
        }
    }

    /// The floats of scratch that `conv2d` needs, with or without Winograd's algorithm.
    pub const fn forward_scratch(&self) -> usize {
        max(self.forward_needs(true), self.forward_needs(false))
    }

    const fn forward_needs(&self, winograd: bool) -> usize {
        match self.forward_choice(winograd) {
            Algorithm::Direct => direct::forward_scratch(self),
            Algorithm::Depthwise => windows::forward_scratch(self),
            Algorithm::Winograd => winograd::forward_scratch(self),
            Algorithm::Windows => windows::forward_scratch(self),
        }
    }

    /// The floats of scratch that `conv2d_input_grad` needs, with or without Winograd's algorithm.
    pub const fn input_grad_scratch(&self) -> usize {
        max(self.input_grad_needs(true), self.input_grad_needs(false))
    }

    const fn input_grad_needs(&self, winograd: bool) -> usize {
        match self.input_grad_choice(winograd) {
            Algorithm::Direct => direct::input_grad_scratch(self),
            Algorithm::Depthwise => windows::input_grad_scratch(self),
            Algorithm::Winograd => winograd::input_grad_scratch(self),
            Algorithm::Windows => windows::input_grad_scratch(self),
        }
    }

    /// The floats of scratch that `conv2d_weight_grad` needs, with or without Winograd's algorithm.
    pub const fn weight_grad_scratch(&self) -> usize {
        max(self.weight_grad_needs(true), self.weight_grad_needs(false))
    }

    const fn weight_grad_needs(&self, winograd: bool) -> usize {
        match self.weight_grad_choice(winograd) {
            Algorithm::Direct => direct::weight_grad_scratch(self),
            Algorithm::Depthwise => windows::weight_grad_scratch(self),
            Algorithm::Winograd => winograd::weight_grad_scratch(self),
            Algorithm::Windows => windows::weight_grad_scratch(self),
        }
    }
}

/// The kernels of this room.
pub trait Conv2d: Map {
    /// Writes a form of `w`, `prepared_len` floats, that `conv2d_prepared` may prefer.
    fn conv2d_prepare(&mut self, _prepared: Buf, _w: Buf, _spec: Conv2dSpec) {}

    /// `conv2d`, given `[w, prepared]`, the second made of the first by `conv2d_prepare`.
    #[inline(always)]
    fn conv2d_prepared(
        &mut self,
        y: Buf,
        x: Buf,
        [w, _]: [Buf; 2],
        scratch: Buf,
        spec: Conv2dSpec,
    ) {
        self.conv2d(y, x, w, scratch, spec);
    }

    /// `conv2d_prepared`, then a chain, as in `conv2d_map`.
    #[inline(always)]
    fn conv2d_prepared_map<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
        &mut self,
        y: Buf,
        x: Buf,
        weights: [Buf; 2],
        scratch: Buf,
        spec: Conv2dSpec,
        then: Operands<IN, OUT, S, R>,
    ) where
        E: Elementwise<IN, OUT, S>,
    {
        self.conv2d_prepared(y, x, weights, scratch, spec);
        self.map::<E, IN, OUT, S, R>(then.outputs, then.inputs, then.dims, then.constants);
    }

    /// `x [batch, in, height, width]`  `w [out, in / groups, kh, kw]` → `y [batch, out, oh, ow]`
    fn conv2d(&mut self, y: Buf, x: Buf, w: Buf, scratch: Buf, spec: Conv2dSpec);
    /// The gradient of the input.
    fn conv2d_input_grad(&mut self, d_x: Buf, d_y: Buf, w: Buf, scratch: Buf, spec: Conv2dSpec);
    /// The gradient of the weight.
    fn conv2d_weight_grad(&mut self, d_w: Buf, d_y: Buf, x: Buf, scratch: Buf, spec: Conv2dSpec);

    /// `conv2d`, then a chain whose first input is `y`; `y` may be the memory of its first output.
    #[inline(always)]
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
    #[inline(always)]
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
