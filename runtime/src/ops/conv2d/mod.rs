//! Convolution of planes (`torch.nn.Conv2d` without its bias; a cross-correlation):
//!
//! `y[n, o, i, j] = Σ_(c, u, v) w[o, c, u, v]
//!     · x[n, g·C/G + c, i·s₀ + u·d₀ − p₀, j·s₁ + v·d₁ − p₁]`
//!
//! with stride `s`, padding `p` (zeros), dilation `d`, `G` groups of channels, and `g` the group of
//! output `o`. The gradients are the transposed linear maps: `d_x` sums `w · d_y`, and `d_w` sums
//! `x · d_y`, over the same index triples.
//!
//! An output depends on what its window holds, and on nothing beside it: values that are not finite
//! reach no other, zeros give exact zeros, and where an algorithm mixes neighbours its error is
//! relative to the window (`winograd` has the bound). Padding is zeros: a product of it with a
//! weight or a gradient that is not finite, a NaN, may be counted or left out.
//!
//! Each [`Pass`] is computed by one of several algorithms, chosen by its sizes alone;
//! [`Conv2dSpec`] says which, and what scratch memory it needs.

mod algorithm;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod direct;
mod matrix;
mod panels;
mod prepared;
pub mod reference;
mod windows;
mod winograd;

pub(crate) use algorithm::Choice;
pub use algorithm::{Algorithm, Pass};

use crate::device::Buf;
use crate::ops::elementwise::{Elementwise, Map, Operands};
use crate::ops::{check_len, check_window, kernels, product, sum};

/// The sizes of a convolution; `[rows, columns]` each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Whether its planes are of any size up to this one: weights are prepared for all of them, and
    /// there is the scratch memory of each.
    pub any_size: bool,
}

/// [`Conv2dSpec::new`] as generated code spells it: of `x [batch, in_channels, rows, columns]`.
pub const fn spec(
    [batch, in_channels, height, width]: [usize; 4],
    out_channels: usize,
    kernel: [usize; 2],
) -> Conv2dSpec {
    Conv2dSpec::new(batch, [in_channels, out_channels], [height, width], kernel)
}

const fn min(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

impl Conv2dSpec {
    /// `channels` of the input and the output, planes of `[rows, columns]`, and as in PyTorch,
    /// unless changed: stride 1, no padding, dilation 1, one group.
    pub const fn new(
        batch: usize,
        channels: [usize; 2],
        [height, width]: [usize; 2],
        kernel: [usize; 2],
    ) -> Self {
        let [in_channels, out_channels] = channels;
        let (stride, padding, dilation, groups) = ([1, 1], [0, 0], [1, 1], 1);
        Self {
            batch,
            in_channels,
            out_channels,
            height,
            width,
            kernel,
            stride,
            padding,
            dilation,
            groups,
            any_size: false,
        }
    }

    /// The same with these steps between windows.
    pub const fn stride(mut self, stride: [usize; 2]) -> Self {
        self.stride = stride;
        self
    }

    /// The same with zeros around the input.
    pub const fn padding(mut self, padding: [usize; 2]) -> Self {
        self.padding = padding;
        self
    }

    /// The same with windows that are spread.
    pub const fn dilation(mut self, dilation: [usize; 2]) -> Self {
        self.dilation = dilation;
        self
    }

    /// The same in groups of channels.
    pub const fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// The same of planes of which only a run knows the size, at most this one.
    pub const fn any_size(mut self) -> Self {
        self.any_size = true;
        self
    }

    const fn out(&self, size: usize, axis: usize) -> usize {
        let padded = sum([size, product([2, self.padding[axis]])]);
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
        product([self.batch, self.in_channels, self.height, self.width])
    }

    /// Elements of the weight.
    pub const fn weight_len(&self) -> usize {
        product([self.out_channels, self.window()])
    }

    /// Elements of the output.
    pub const fn output_len(&self) -> usize {
        product([self.batch, self.out_channels, self.positions()])
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
        product([self.group_in(), self.kernel[0], self.kernel[1]])
    }

    /// The outputs of a plane.
    const fn positions(&self) -> usize {
        product([self.out_height(), self.out_width()])
    }

    /// Panics where operands do not have these sizes, or where these are none of a convolution.
    /// What kernels compute of them then stays within numbers: [`scratch`](Self::scratch) is the
    /// largest.
    fn check(&self, x: usize, w: usize, y: usize) {
        for (axis, size) in [self.height, self.width].into_iter().enumerate() {
            let [kernel, stride, padding, dilation] =
                [self.kernel, self.stride, self.padding, self.dilation].map(|of| of[axis]);
            check_window(size, kernel, stride, padding, dilation);
        }
        let Self { in_channels, out_channels, groups, .. } = *self;
        assert!(
            groups > 0 && in_channels.is_multiple_of(groups) && out_channels.is_multiple_of(groups),
            "gradiron: {groups} groups of {in_channels} and {out_channels} channels (a bug)"
        );
        check_len("the input of a convolution", x, self.input_len());
        check_len("the weight of a convolution", w, self.weight_len());
        check_len("the output of a convolution", y, self.output_len());
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
}

kernels! {
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
            weights: [Buf; 2],
            scratch: Buf,
            spec: Conv2dSpec,
        ) {
            self.conv2d(Pass::Forward, y, [x, weights[0]], scratch, spec);
        }

        /// `conv2d_prepared`, then a chain, as in `conv2d_map`.
        #[inline(always)]
        fn conv2d_prepared_map<
            E: Elementwise<IN, OUT, S>,
            const IN: usize,
            const OUT: usize,
            const S: usize,
            const R: usize,
        >(
            &mut self,
            y: Buf,
            x: Buf,
            weights: [Buf; 2],
            scratch: Buf,
            spec: Conv2dSpec,
            then: Operands<IN, OUT, S, R>,
        ) {
            self.conv2d_prepared(y, x, weights, scratch, spec);
            self.map::<E, IN, OUT, S, R>(then.outputs, then.inputs, then.dims, then.constants);
        }

        /// A pass, `out` from its two operands in the order of [`Pass`]:
        /// `x [batch, in, height, width]`, `w [out, in / groups, kh, kw]`,
        /// `y [batch, out, oh, ow]`, gradients alike.
        fn conv2d(&mut self, pass: Pass, out: Buf, of: [Buf; 2], scratch: Buf, spec: Conv2dSpec);

        /// A pass, then a chain whose first input is `out`; `out` may be the memory of its first
        /// output.
        #[inline(always)]
        fn conv2d_map<
            E: Elementwise<IN, OUT, S>,
            const IN: usize,
            const OUT: usize,
            const S: usize,
            const R: usize,
        >(
            &mut self,
            pass: Pass,
            out: Buf,
            of: [Buf; 2],
            scratch: Buf,
            spec: Conv2dSpec,
            then: Operands<IN, OUT, S, R>,
        ) {
            self.conv2d(pass, out, of, scratch, spec);
            self.map::<E, IN, OUT, S, R>(then.outputs, then.inputs, then.dims, then.constants);
        }
    }
}
