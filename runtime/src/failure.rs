//! What can be wrong with a device.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A device that cannot do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the messages say it
pub enum DeviceError {
    #[error(
        "the device failed before ({reason}), and what it worked on is lost: make the workspace anew, and \
         also the network and its optimizer when a training step failed"
    )]
    Lost { reason: String },
    #[error("the {device} has no room for {bytes} bytes; use a smaller batch capacity")]
    OutOfMemory { device: &'static str, bytes: usize },
    #[error(transparent)]
    Failed(#[from] Failure),
    /// An [`Observer`](crate::debug::Observer) ended the run. The device is as it was, and so are
    /// workspaces.
    #[error(transparent)]
    Stopped(Failure),
}

impl DeviceError {
    /// An error of a device's own type.
    pub fn failed(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Failed(Failure::new(error))
    }

    /// What later calls say of it.
    #[cold]
    pub(crate) fn as_lost(&self) -> Self {
        match self {
            Self::Lost { .. } => self.clone(),
            error => Self::Lost { reason: error.to_string() },
        }
    }
}

/// A failure in the words of a device: an error of a type that it alone knows, such as `CudaError`.
#[derive(Clone, Debug)]
pub struct Failure(Arc<dyn Error + Send + Sync>);

impl Failure {
    /// The failure that is this error.
    pub fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(error))
    }

    /// The error, to ask for its type: `failure.error().downcast_ref::<CudaError>()`.
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

/// Failures are equal when they say the same.
impl PartialEq for Failure {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
