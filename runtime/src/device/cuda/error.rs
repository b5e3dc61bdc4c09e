//! What can be wrong with a GPU and its libraries.

use cudarc::driver::{DriverError, result, sys};

use crate::device::DeviceError;

/// A GPU that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the messages say it
pub enum CudaError {
    #[error(
        "no NVIDIA driver: `{library}` was not found by the system's loader or in {looked}; \
         install the driver, or use `Cpu`"
    )]
    NoDriver { library: &'static str, looked: String },
    #[error(
        "CUDA's `{library}` was not found by the system's loader or in {looked}; install CUDA {needed}, \
         or set CUDA_PATH to the folder of one"
    )]
    NoLibrary { library: &'static str, looked: String, needed: &'static str },
    #[error(
        "the NVIDIA driver supports CUDA {found}, but {needed} is needed; install a newer driver"
    )]
    OldDriver { found: String, needed: &'static str },
    #[error("there is no GPU {ordinal}: the driver sees {count}, numbered from 0")]
    NoDevice { ordinal: usize, count: usize },
    #[error("the GPU has no room for {bytes} bytes: {free} are free; use a smaller batch capacity")]
    OutOfMemory { bytes: usize, free: usize },
    #[error("the kernel `{kernel}` does not compile for {arch} (a bug of gradiron):\n{log}")]
    Compile { kernel: String, arch: String, log: String },
    #[error("the GPU failed to {action}: {reason}")]
    Failed { action: &'static str, reason: String },
}

impl From<CudaError> for DeviceError {
    fn from(error: CudaError) -> Self {
        Self::failed(error)
    }
}

/// Says what was done when it failed.
pub(crate) trait Context<T> {
    fn to(self, action: &'static str) -> Result<T, CudaError>;
}

impl<T, E: std::fmt::Debug> Context<T> for Result<T, E> {
    fn to(self, action: &'static str) -> Result<T, CudaError> {
        self.map_err(|error| CudaError::Failed { action, reason: format!("{error:?}") })
    }
}

/// Tells memory that is not there from other failures.
pub(super) trait Room<T> {
    fn or_no_room(self, bytes: usize) -> Result<T, CudaError>;
}

impl<T> Room<T> for Result<T, DriverError> {
    fn or_no_room(self, bytes: usize) -> Result<T, CudaError> {
        match self {
            Err(DriverError(sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => {
                let free = result::mem_get_info().map_or(0, |(free, _)| free);
                Err(CudaError::OutOfMemory { bytes, free })
            }
            other => other.to("allocate memory"),
        }
    }
}
