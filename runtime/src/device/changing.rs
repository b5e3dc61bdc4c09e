//! Floats of a device while the host changes them.

use std::ops::{Deref, DerefMut};

/// Floats of a device while the host changes them: where they are, or a copy that is brought back
/// when this is dropped.
pub struct Changing<'a>(Floats<'a>);

/// Brings floats back to where they were.
type Put<'a> = Box<dyn FnMut(&[f32]) + 'a>;

enum Floats<'a> {
    Here(&'a mut [f32]),
    Copy { floats: Vec<f32>, put: Put<'a> },
}

impl<'a> Changing<'a> {
    /// Floats in memory of the host.
    pub fn here(floats: &'a mut [f32]) -> Self {
        Self(Floats::Here(floats))
    }

    /// A copy of floats, which `put` brings back. What goes wrong then is told by the next call of
    /// the device that can.
    pub fn copy(floats: Vec<f32>, put: impl FnMut(&[f32]) + 'a) -> Self {
        Self(Floats::Copy { floats, put: Box::new(put) })
    }
}

impl Deref for Changing<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.0 {
            Floats::Here(floats) => floats,
            Floats::Copy { floats, .. } => floats,
        }
    }
}

impl DerefMut for Changing<'_> {
    fn deref_mut(&mut self) -> &mut [f32] {
        match &mut self.0 {
            Floats::Here(floats) => floats,
            Floats::Copy { floats, .. } => floats,
        }
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        if let Floats::Copy { floats, put } = &mut self.0 {
            put(floats);
        }
    }
}

impl std::fmt::Debug for Changing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Changing({} floats)", self.len())
    }
}
