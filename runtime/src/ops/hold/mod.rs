//! Sequences of different lengths side by side: at step `t`, samples whose sequences are longer take
//! what is new, the others hold what they had:
//!
//! `y[b, :] = new[b, :]` where `t < length[b]`, else `old[b, :]`.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod reference;
mod tiny;

use crate::device::{Buf, Indices};

/// The kernel of this room.
pub trait Hold {
    /// `y [batch, ..]` at step `t`; an empty `old` is 0.
    fn hold(&mut self, y: Buf, new: Buf, old: Buf, length: Indices, t: usize);
}
