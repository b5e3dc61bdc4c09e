//! Memory that a device keeps: one zeroed, cache-line aligned block of floats.

use bytemuck::{Pod, Zeroable};

#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// A block of `f32`s that starts on a 64-byte boundary and never moves or grows.
#[derive(Clone)]
pub struct Storage {
    lines: Vec<Line>,
    len: usize,
}

impl Storage {
    /// A block of `len` zeros.
    pub fn zeros(len: usize) -> Self {
        Self { lines: bytemuck::zeroed_vec(len.div_ceil(16)), len }
    }

    /// A block of `len` zeros, or nothing when memory does not suffice.
    pub fn try_zeros(len: usize) -> Option<Self> {
        let lines = bytemuck::try_zeroed_vec(len.div_ceil(16)).ok()?;
        Some(Self { lines, len })
    }

    /// The floats.
    #[inline]
    pub fn as_slice(&self) -> &[f32] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }

    /// The floats, to change.
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Storage({} floats)", self.len)
    }
}
