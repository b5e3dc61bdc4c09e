//! Calls of libraries that decide, when addresses are known, whether they take a call at all.

use std::fmt;
use std::sync::Arc;

use cudarc::driver::sys::CUdeviceptr;

use super::error::CudaError;
use super::recording::{Arg, CudaKernels, Launch};
use super::shared::Shared;

/// A call that a library may take, and what is launched around it or in its place.
#[derive(Debug)]
pub(crate) struct LibraryCall {
    pub call: Box<dyn Plan>,
    /// Its tensors, in the library's order.
    pub at: Vec<Arg>,
    /// What rounds its factors.
    pub before: Vec<Launch>,
    /// What widens its result.
    pub after: Vec<Launch>,
    /// What computes the same without the library.
    pub otherwise: Vec<Launch>,
}

/// What a call computes.
pub(crate) trait Plan: fmt::Debug + Send + Sync {
    /// How the library computes it with tensors at these addresses; nothing where it does not.
    fn plan(
        &self,
        shared: &Shared,
        at: &[CUdeviceptr],
    ) -> Result<Option<Arc<dyn Planned>>, CudaError>;
}

/// A call that the library takes.
pub(crate) trait Planned: Send + Sync {
    /// Bytes that it uses on the side.
    fn workspace(&self) -> usize;

    /// Starts it on tensors at the addresses that it was planned for.
    fn launch(
        &self,
        shared: &Shared,
        at: &[CUdeviceptr],
        workspace: CUdeviceptr,
    ) -> Result<(), CudaError>;
}

impl CudaKernels {
    /// What `record` launches, apart from the launches so far.
    pub(crate) fn apart<T>(&mut self, record: impl FnOnce(&mut Self) -> T) -> (T, Vec<Launch>) {
        let start = self.launches.len();
        let made = record(self);
        (made, self.launches.split_off(start))
    }

    /// Adds a call of a library.
    pub(crate) fn call_library(&mut self, call: LibraryCall) {
        self.launches.push(Launch::Library(call));
    }
}
