//! The loss of a training step, which a device may still be computing.

use std::fmt;

use super::{Cpu, Device, DeviceError};

/// A number that a device may still be computing.
pub trait Pending: fmt::Debug {
    /// The number; waits for the step that makes it.
    ///
    /// # Errors
    /// When the device failed.
    fn value(&self) -> Result<f32, DeviceError>;
}

/// A number that is there.
impl Pending for f32 {
    fn value(&self) -> Result<f32, DeviceError> {
        Ok(*self)
    }
}

/// The loss of a training step. On a GPU the step may still be under way.
pub struct Loss<D: Device = Cpu>(D::Pending);

impl<D: Device> Loss<D> {
    pub(crate) fn new(number: D::Pending) -> Self {
        Self(number)
    }

    /// The number; waits for the step that makes it.
    ///
    /// # Errors
    /// When the device failed.
    pub fn value(&self) -> Result<f32, DeviceError> {
        self.0.value()
    }
}

impl<D: Device> fmt::Debug for Loss<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Loss").field(&self.0).finish()
    }
}
