//! Slices of which threads use their own parts.

use std::marker::PhantomData;

/// An exclusively borrowed slice of which each thread uses its own part.
pub(crate) struct SharedMut<'a, T> {
    start: *mut T,
    len: usize,
    borrow: PhantomData<&'a mut [T]>,
}

// SAFETY: whoever uses parts on several threads promises that they are disjoint (`at`), which is
// sending elements.
unsafe impl<T: Send> Sync for SharedMut<'_, T> {}

impl<'a, T> SharedMut<'a, T> {
    pub fn new(slice: &'a mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), borrow: PhantomData }
    }

    /// The start of `len` elements at `start`. Whoever uses it makes sure that nobody else uses
    /// these elements at the time.
    ///
    /// # Panics
    /// When the range leaves the slice.
    pub fn at(&self, start: usize, len: usize) -> *mut T {
        assert!(start <= self.len && len <= self.len - start, "a part leaves its slice");
        // SAFETY: inside the slice, or one past its end.
        unsafe { self.start.add(start) }
    }

    /// Elements `i * len..(i + 1) * len`, cut at the end.
    ///
    /// # Safety
    /// No `i` is asked for twice, always with one `len`, and `at` is not used meanwhile.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn part(&self, i: usize, len: usize) -> &mut [T] {
        let start = i.saturating_mul(len).min(self.len);
        let len = len.min(self.len - start);
        // SAFETY: inside the slice, and nobody else has this part (the caller's promise).
        unsafe { std::slice::from_raw_parts_mut(self.at(start, len), len) }
    }
}
