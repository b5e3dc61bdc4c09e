//! Positions of a sequence as angles. With `θ[t, p] = t · base^(−2p / dim)`:
//!
//! Rotary embedding (J. Su et al., "RoFormer", 2021): the pair `p` of each row at position `t` is
//! turned by `θ[t, p]`, so that the product of two rows depends on how far apart they are,
//!
//! `y_a = x_a cos θ − x_b sin θ`,  `y_b = x_b cos θ + x_a sin θ`,
//!
//! and its gradient is turned back. Pairs are element `p` of both halves of a row, as in Llama's
//! weights, or neighbours, as in the paper.
//!
//! Sinusoidal encoding (A. Vaswani et al., "Attention Is All You Need", 2017):
//! `y[t, 2p] = sin θ[t, p]`,  `y[t, 2p + 1] = cos θ[t, p]`.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod reference;

use crate::device::Buf;
use crate::ops::kernels;

/// The sizes of a rotation of `x [outer, len, inner, dim]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RotarySpec {
    /// Product of the sizes before the positions.
    pub outer: usize,
    /// The number of positions.
    pub len: usize,
    /// Product of the sizes between the positions and the rows.
    pub inner: usize,
    /// The floats of a row, an even number.
    pub dim: usize,
    /// The first position.
    pub past: usize,
    /// The longest period is `2π · base`, nearly.
    pub base: f32,
    /// Whether pairs are neighbours.
    pub interleaved: bool,
    /// Whether rows are turned back.
    pub inverse: bool,
}

/// The angle of a pair at a position, between `−π` and `π`.
fn angle(position: usize, pair: usize, dim: usize, base: f32) -> f32 {
    use std::f64::consts::TAU;
    let frequency = f64::from(base).powf(-2.0 * pair as f64 / dim as f64);
    let angle = position as f64 * frequency;
    (angle - TAU * (angle / TAU).round()) as f32
}

kernels! {
    /// The kernels of this room.
    pub trait Rotary {
        /// `y` is `x`, turned.
        fn rotary(&mut self, y: Buf, x: Buf, spec: RotarySpec);
        /// `y [len, dim]` of positions from 0 on.
        fn sinusoidal(&mut self, y: Buf, len: usize, dim: usize, base: f32);
    }
}
