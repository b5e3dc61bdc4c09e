//! Planes made larger by whole factors (`torch.nn.functional.interpolate` with `scale_factor`).
//!
//! - Nearest: `y[i, j] = x[⌊i / s₀⌋, ⌊j / s₁⌋]`.
//! - Bilinear: `y[i, j] = x[u(i), v(j)]`, where an element between places is the mean of its four
//!   neighbours, weighted by nearness. Along an axis of `n` elements, made `m = s·n`,
//!   `u(i) = max((i + ½) / s − ½, 0)`, at most `n − 1`; with aligned corners
//!   `u(i) = i · (n − 1) / (m − 1)`.
//!
//! The gradient is the transposed linear map.

mod bilinear;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod reference;

use crate::device::Buf;
use crate::ops::{kernels, product};

/// How elements between places come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterpolateMode {
    /// The nearest element, from above.
    Nearest,
    /// The weighted mean of the neighbours; elements are squares.
    Bilinear,
    /// The same with `align_corners`: elements are points, the first and the last stay.
    BilinearCorners,
}

/// The sizes of an interpolation; `[rows, columns]` each. `planes` is batch × channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterpolateSpec {
    /// Batch × channels.
    pub planes: usize,
    /// Rows of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
    /// How many times larger the output is.
    pub scale: [usize; 2],
    /// How elements between places come about.
    pub mode: InterpolateMode,
}

impl InterpolateSpec {
    /// Rows of the output.
    pub const fn out_height(&self) -> usize {
        product([self.height, self.scale[0]])
    }

    /// Columns of the output.
    pub const fn out_width(&self) -> usize {
        product([self.width, self.scale[1]])
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

kernels! {
    /// The kernels of this room.
    pub trait Interpolate {
        /// `x [planes, height, width]` → `y [planes, s₀·height, s₁·width]`
        fn interpolate(&mut self, y: Buf, x: Buf, spec: InterpolateSpec);
        /// The gradient of the input.
        fn interpolate_grad(&mut self, d_x: Buf, d_y: Buf, spec: InterpolateSpec);
    }
}
