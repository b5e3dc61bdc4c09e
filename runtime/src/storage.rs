//! Memory that a device keeps: one zeroed, cache-line aligned block of floats.

mod prepared;

use std::any::Any;
use std::cell::UnsafeCell;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytemuck::{Pod, Zeroable};

pub(crate) use self::prepared::Prepared;
use crate::failure::DeviceError;

/// The floats of a cache line, which start at one.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C, align(64))]
pub(crate) struct Line([f32; 16]);

/// A block of `f32`s that starts on a 64-byte boundary and never moves or grows.
///
/// It may have a mirror on a device with memory of its own. What changes there comes back when it
/// is asked for.
pub struct Storage {
    lines: UnsafeCell<Vec<Line>>,
    len: usize,
    version: Version,
    mirror: Mutex<Option<Box<dyn Mirror>>>,
    /// Whether the mirror has newer floats.
    behind: AtomicBool,
    lost: Lost,
    /// What inference has computed of them.
    prepared: Prepared,
    /// The ranges of the state behind the parameters that passes leave as they are.
    kept: Arc<[Range<usize>]>,
}

/// The floats of a block on a device with memory of its own.
pub trait Mirror: Any + Send {
    /// Brings them to the host.
    ///
    /// # Errors
    /// When the device fails to.
    fn download(&self, to: &mut [f32]) -> Result<(), DeviceError>;
}

/// Whether a device failed while it changed a block, so that nobody knows what is in it.
#[derive(Clone, Debug, Default)]
pub struct Lost(Arc<OnceLock<DeviceError>>);

impl Lost {
    /// Says that it did.
    pub fn set(&self, error: &DeviceError) {
        let _ = self.0.set(error.clone());
    }

    /// Whether the contents are known.
    ///
    /// # Errors
    /// The failure, when they are not.
    #[inline]
    pub fn check(&self) -> Result<(), DeviceError> {
        match self.0.get() {
            None => Ok(()),
            Some(error) => Err(error.as_lost()),
        }
    }
}

/// Tells the contents of a block from those of all blocks at all times: where versions are equal,
/// contents are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    block: u64,
    changes: u64,
}

impl Version {
    /// The version of a new block.
    fn new() -> Self {
        static BLOCKS: AtomicU64 = AtomicU64::new(0);
        Self { block: BLOCKS.fetch_add(1, Ordering::Relaxed), changes: 0 }
    }
}

// SAFETY: `lines` changes behind a shared reference only in `catch_up`: under the lock, and only
// while `behind` is set, which takes an exclusive reference; since then nobody has been lent the
// floats.
unsafe impl Sync for Storage {}

impl Clone for Storage {
    fn clone(&self) -> Self {
        let mut clone = Self::zeros(self.len);
        clone.as_mut_slice().copy_from_slice(self.as_slice());
        clone.kept = Arc::clone(&self.kept);
        clone
    }
}

impl Storage {
    /// A block of `len` zeros.
    pub fn zeros(len: usize) -> Self {
        Self::of(bytemuck::zeroed_vec(len.div_ceil(16)), len)
    }

    /// A block of `len` zeros, or nothing when memory does not suffice.
    pub fn try_zeros(len: usize) -> Option<Self> {
        let lines = bytemuck::try_zeroed_vec(len.div_ceil(16)).ok()?;
        Some(Self::of(lines, len))
    }

    fn of(lines: Vec<Line>, len: usize) -> Self {
        Self {
            lines: UnsafeCell::new(lines),
            len,
            version: Version::new(),
            mirror: Mutex::new(None),
            behind: AtomicBool::new(false),
            lost: Lost::default(),
            prepared: Prepared::default(),
            kept: Arc::default(),
        }
    }

    /// The floats.
    ///
    /// # Panics
    /// When a device has newer ones and is lost, or failed while it changed them.
    #[inline]
    pub fn as_slice(&self) -> &[f32] {
        match self.fetch() {
            Ok(floats) => floats,
            Err(error) => are_lost(&error),
        }
    }

    /// The floats.
    ///
    /// # Errors
    /// When a device has newer ones and does not bring them, or failed while it changed them.
    #[inline]
    pub fn fetch(&self) -> Result<&[f32], DeviceError> {
        self.lost.check()?;
        if self.behind.load(Ordering::Acquire) {
            self.catch_up()?;
        }
        // SAFETY: what changes the lines next takes an exclusive reference (see `Sync`).
        let lines = unsafe { &*self.lines.get() };
        Ok(&bytemuck::cast_slice(lines)[..self.len])
    }

    /// Whether a device failed while it changed them.
    pub fn lost(&self) -> &Lost {
        &self.lost
    }

    /// The number of floats.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The version of the floats: another one after each [`as_mut_slice`](Self::as_mut_slice).
    #[inline]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The floats, to change.
    ///
    /// # Panics
    /// When a device has newer ones and is lost, or failed while it changed them.
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        if let Err(error) = self.fetch() {
            are_lost(&error);
        }
        self.version.changes += 1;
        &mut bytemuck::cast_slice_mut(self.lines.get_mut())[..self.len]
    }

    /// Says which ranges of the state behind the parameters passes leave as they are.
    pub fn keep(&mut self, ranges: Vec<Range<usize>>) {
        self.kept = ranges.into();
    }

    /// These ranges.
    pub fn kept(&self) -> &Arc<[Range<usize>]> {
        &self.kept
    }

    /// What inference has computed of the floats.
    pub(crate) fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// The mirror, if there is one.
    pub fn mirror(&self) -> MutexGuard<'_, Option<Box<dyn Mirror>>> {
        self.mirror.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that the mirror changes: its floats are those that count from now on.
    pub fn change_mirror(&mut self) -> Version {
        self.version.changes += 1;
        *self.behind.get_mut() = true;
        self.version
    }

    /// Brings the newer floats from the mirror.
    #[cold]
    fn catch_up(&self) -> Result<(), DeviceError> {
        let mirror = self.mirror();
        if !self.behind.load(Ordering::Acquire) {
            return Ok(());
        }
        if let Some(mirror) = &*mirror {
            // SAFETY: under the lock, and nobody has been lent the floats since `behind` was set.
            let lines = unsafe { &mut *self.lines.get() };
            let floats = &mut bytemuck::cast_slice_mut(lines)[..self.len];
            mirror.download(floats)?;
        }
        self.behind.store(false, Ordering::Release);
        Ok(())
    }
}

/// Ranges of two lists, each in the order of their starts, in this order.
pub(crate) fn merged<'a>(
    a: &'a [Range<usize>],
    b: &'a [Range<usize>],
) -> impl Iterator<Item = Range<usize>> + 'a {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    std::iter::from_fn(move || {
        let first = match (a.peek(), b.peek()) {
            (Some(a), Some(b)) => a.start <= b.start,
            (a, _) => a.is_some(),
        };
        if first { a.next().cloned() } else { b.next().cloned() }
    })
}

#[cold]
fn are_lost(error: &DeviceError) -> ! {
    panic!("gradiron: parameters are lost with their device: {error}")
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Storage({} floats)", self.len)
    }
}
