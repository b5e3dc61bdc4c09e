//! Memory that a device keeps: one zeroed, cache-line aligned block of floats.

use std::sync::atomic::{AtomicU64, Ordering};

use bytemuck::{Pod, Zeroable};

#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// A block of `f32`s that starts on a 64-byte boundary and never moves or grows.
pub struct Storage {
    lines: Vec<Line>,
    len: usize,
    version: Version,
}

/// Tells the contents of a block from those of all blocks at all times: where versions are equal,
/// contents are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    block: u64,
    changes: u64,
}

impl Version {
    /// Whether both are versions of one block.
    #[cfg(feature = "cuda")]
    pub(crate) fn is_same_block(self, other: Self) -> bool {
        self.block == other.block
    }

    /// The version of a new block.
    fn new() -> Self {
        static BLOCKS: AtomicU64 = AtomicU64::new(0);
        Self { block: BLOCKS.fetch_add(1, Ordering::Relaxed), changes: 0 }
    }
}

impl Clone for Storage {
    fn clone(&self) -> Self {
        Self { lines: self.lines.clone(), len: self.len, version: Version::new() }
    }
}

impl Storage {
    /// A block of `len` zeros.
    pub fn zeros(len: usize) -> Self {
        Self { lines: bytemuck::zeroed_vec(len.div_ceil(16)), len, version: Version::new() }
    }

    /// A block of `len` zeros, or nothing when memory does not suffice.
    pub fn try_zeros(len: usize) -> Option<Self> {
        let lines = bytemuck::try_zeroed_vec(len.div_ceil(16)).ok()?;
        Some(Self { lines, len, version: Version::new() })
    }

    /// The floats.
    #[inline]
    pub fn as_slice(&self) -> &[f32] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }

    /// The version of the floats: another one after each [`as_mut_slice`](Self::as_mut_slice).
    #[inline]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The floats, to change.
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        self.version.changes += 1;
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Storage({} floats)", self.len)
    }
}
