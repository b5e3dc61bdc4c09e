//! Points in the work of streams, to be waited for.

use std::sync::Arc;

use cudarc::driver::{result, sys};

use super::Shared;
use super::error::{Context, CudaError};

/// A point in the work of a stream.
pub(super) struct Event {
    shared: Arc<Shared>,
    event: sys::CUevent,
}

// SAFETY: events may be used by any thread that has bound the context.
unsafe impl Send for Event {}
// SAFETY: the driver's functions for events may be called by several threads at a time.
unsafe impl Sync for Event {}

impl Event {
    pub fn new(shared: &Arc<Shared>) -> Result<Self, CudaError> {
        Self::with(shared, sys::CUevent_flags::CU_EVENT_DISABLE_TIMING)
    }

    /// One that tells when it was reached.
    pub fn timed(shared: &Arc<Shared>) -> Result<Self, CudaError> {
        Self::with(shared, sys::CUevent_flags::CU_EVENT_DEFAULT)
    }

    fn with(shared: &Arc<Shared>, flags: sys::CUevent_flags) -> Result<Self, CudaError> {
        shared.bind()?;
        let event = result::event::create(flags).to("make an event")?;
        Ok(Self { shared: Arc::clone(shared), event })
    }

    /// Milliseconds from this event to a later one. Both are timed and reached.
    pub fn until(&self, later: &Self) -> Result<f32, CudaError> {
        // SAFETY: both events are open, and timed.
        unsafe { result::event::elapsed(self.event, later.event) }.to("tell the time")
    }

    pub fn raw(&self) -> sys::CUevent {
        self.event
    }

    /// Is reached when the stream has done all that it was asked for.
    pub fn record(&self, stream: sys::CUstream) -> Result<(), CudaError> {
        // SAFETY: the event and the stream are open.
        unsafe { result::event::record(self.event, stream) }.to("record an event")
    }

    /// Is reached when the steps are done that were started before.
    pub fn record_step(&self, shared: &Shared) -> Result<(), CudaError> {
        let _uncaptured = shared.uncaptured();
        self.record(shared.stream())
    }

    /// Waits on the host. An event that was never recorded is reached.
    pub fn wait(&self, shared: &Shared) -> Result<(), CudaError> {
        shared.bind()?;
        // SAFETY: the event is open.
        if unsafe { result::event::query(self.event) }.is_ok() {
            return Ok(());
        }
        // SAFETY: the event is open.
        unsafe { result::event::synchronize(self.event) }.to("finish its work")
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if self.shared.bind().is_ok() {
            // SAFETY: open, and destroyed once.
            let _ = unsafe { result::event::destroy(self.event) };
        }
    }
}
